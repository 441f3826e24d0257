-- Whether a lease that expires then is running now. One that expires later than any lease would was
-- given before the clock was set back: it is not waited for.
create or replace function ledger_private.is_lease_running(p_expires_at timestamptz)
returns boolean
language sql
volatile
as $$
  select p_expires_at between clock_timestamp()
    and clock_timestamp() + ledger_private.lease_length()
$$;
