-- Attaches a built partition with the given bounds (null: as the default partition). Waits for
-- its locks 200 ms at most, ten times, so that posting behind it never stands still for long; a
-- pg_dump or a long read makes it fail. False: not this time.
create or replace function ledger_private.attach_partition(
  p_parent text,
  p_name text,
  p_from_id uuid,
  p_until_id uuid
)
returns boolean
language plpgsql
volatile
set lock_timeout = '200ms'
as $$
begin
  for v_try in 1..10 loop
    begin
      execute format('alter table ledger.%I attach partition ledger.%I ', p_parent, p_name)
        || case
          when p_from_id is null then 'default'
          else format('for values from (%L) to (%L)', p_from_id, p_until_id)
        end;
      return true;
    exception
      when lock_not_available then
        perform pg_sleep(0.05 * random());
    end;
  end loop;

  return false;
end
$$;
