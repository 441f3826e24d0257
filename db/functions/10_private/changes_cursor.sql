-- The cursor of read_changes that reads on where p_feed, a cursor of the feed between two windows,
-- and p_accounts, a snapshot for feed_account_changes, do.
create or replace function ledger_private.changes_cursor(p_feed jsonb, p_accounts pg_snapshot)
returns ledger.changes_cursor
language sql
stable
as $$
  select
    c.epoch, split_part(c.epoch, '.', 1)::int, c.since, c.low, c.high, c.swept, c.swept_at,
    p_accounts, null::jsonb
  from ledger_private.parse_feed_cursor(p_feed) c
$$;
