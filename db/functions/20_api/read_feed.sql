-- The payments that became visible since p_cursor: ledger_private.feed_window tells how. Waits for
-- nothing and locks nothing. All of a call works with one snapshot, as the function is stable.
--
-- Raises limit_out_of_range, feed_cursor_malformed, feed_on_standby, feed_in_transaction,
-- feed_history_changed, feed_epoch_ended, feed_cursor_ahead.
create or replace function ledger.read_feed(p_cursor jsonb default null, p_limit int default 1000)
returns table (next_cursor jsonb, has_more boolean, payments jsonb)
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
  perform ledger_private.check_limit(p_limit);
  return query
  select w.next_cursor, w.has_more, w.payments::jsonb
  from ledger_private.feed_window(p_cursor, p_limit, false) w;
end
$$;

comment on function ledger.read_feed is
  'The payments that became visible since a cursor, each exactly once, with their entries: always '
  'one row. Null starts with the first payment of the current epoch, ledger.feed_end() with the '
  'next one to come. Keep next_cursor and give it to the next call, at once if has_more. Order by '
  'version within an account: payments come by transaction, not in the order of versions.';
