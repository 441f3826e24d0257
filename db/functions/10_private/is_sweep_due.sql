-- Whether a cursor of the feed that has swept at p_swept_at, in Unix milliseconds, does so now:
-- every half second, and when the clock was set back.
create or replace function ledger_private.is_sweep_due(p_swept_at bigint)
returns boolean
language sql
volatile
as $$
  select extract(epoch from clock_timestamp()) * 1000 - p_swept_at not between 0 and 500
$$;
