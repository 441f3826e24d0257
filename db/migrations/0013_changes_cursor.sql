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

create type ledger_private.changes_page as (
  next_cursor ledger.changes_cursor,
  has_more boolean,
  payment_count int,
  changes text[],
  lsn bigint
);

comment on type ledger_private.changes_page is
  'What became of accounts, a JSON text for each; where to read on; how far a standby has to be.';

-- They had other arguments, or were for the relay to call.
drop function if exists ledger.read_changes(jsonb, int);
drop function if exists ledger.tell_listeners(bigint, text, text, text[]);
drop function if exists ledger_private.feed_balances(uuid[], uuid, uuid);
