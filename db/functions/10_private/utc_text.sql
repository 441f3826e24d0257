-- ISO 8601 in UTC with microseconds, whatever the session's time zone and date style.
create or replace function ledger_private.utc_text(p_at timestamptz)
returns text
language sql
stable parallel safe
as $$
  select to_char(p_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
