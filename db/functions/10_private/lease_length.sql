-- How long the relay's lease runs after it was taken or renewed.
create or replace function ledger_private.lease_length()
returns interval
language sql
immutable parallel safe
as $$
  select interval '2 seconds'
$$;
