-- What the relay reads on from: columns, and no JSON, because it is taken apart at each poll.
create type ledger.changes_cursor as (
  epoch text,
  feed_epoch int,
  since pg_snapshot,
  low uuid,
  high uuid,
  swept pg_snapshot,
  swept_at bigint,
  accounts pg_snapshot,
  page jsonb
);

comment on type ledger.changes_cursor is
  'What ledger.read_changes and tell_changes read on from. accounts: what of account_changes was '
  'visible; page: between two pages of a window the cursor of the feed, whole; all else: as in the '
  'cursor of the feed, see ledger_private.parse_feed_cursor.';

-- They had other arguments, or were for the relay to call.
drop function if exists ledger.read_changes(jsonb, int);
drop function if exists ledger.tell_listeners(bigint, text, text, text[]);
drop function if exists ledger_private.feed_balances(uuid[], uuid, uuid);
