-- A UUIDv7: 48 bits of Unix milliseconds, then random bits. PostgreSQL 18 has one built in, which
-- also counts up within a millisecond; before 18 the random bits decide.
do $do$
begin
  if current_setting('server_version_num')::int >= 180000 then
    create or replace function ledger_private.new_payment_id()
    returns uuid
    language sql
    volatile parallel safe
    return uuidv7();
  else
    create or replace function ledger_private.new_payment_id()
    returns uuid
    language sql
    volatile parallel safe
    return encode(
      set_byte(
        overlay(
          uuid_send(gen_random_uuid())
          placing substring(
            int8send((extract(epoch from clock_timestamp()) * 1000)::bigint) from 3
          )
          from 1 for 6
        ),
        6,
        -- Version 4 becomes 7 in the upper half of byte 6; the lower half stays random.
        112 | (get_byte(uuid_send(gen_random_uuid()), 6) & 15)
      ),
      'hex'
    )::uuid;
  end if;
end
$do$;
