-- The lowest payment_id of a moment: a UUIDv7's first 48 bits are Unix milliseconds.
create or replace function ledger_private.payment_id_at(p_at timestamptz)
returns uuid
language sql
immutable parallel safe
as $$
  select rpad(lpad(to_hex(floor(extract(epoch from p_at) * 1000)::bigint), 12, '0'), 32, '0')::uuid
$$;
