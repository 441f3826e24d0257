-- What read_feed gives, as the relay needs it: not the payments, but what they made of the
-- accounts. `changes` is an array of [ledger_id, [code, version, currency, balance, held]], of
-- each account the newest entry of the page; balance and held are null where only limits or status
-- were set. See ledger_private.changes_since, feed_window and feed_account_changes.
--
-- p_limit: 1 to 5000 payments, as many as the relay finds at once when it rests longest.
--
-- Null, the first cursor, starts at the end: nothing is told. Once has_more is false everything was
-- read that was visible as of read_at, of the first page if there were several; a standby that has
-- replayed lsn has all of it, too.
-- Locks nothing. Raises limit_out_of_range, feed_cursor_malformed, feed_on_standby,
-- feed_in_transaction, feed_history_changed, feed_epoch_ended, feed_cursor_ahead.
create or replace function ledger.read_changes(
  p_cursor ledger.changes_cursor default null,
  p_limit int default 1000
)
returns table (
  next_cursor ledger.changes_cursor,
  has_more boolean,
  payment_count int,
  changes json,
  lsn bigint,
  read_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select
    c.next_cursor, c.has_more, c.payment_count,
    concat('[', array_to_string(c.changes, ','), ']')::json, c.lsn, statement_timestamp()
  from ledger_private.changes_since(p_cursor, p_limit) c;
end
$$;

comment on function ledger.read_changes is
  'For the relay: the balances that changed since a cursor, whoever posted, each account''s newest '
  'one of the page. Null starts at the end.';
