-- Locks nothing. Raises feed_on_standby, feed_in_transaction, feed_history_changed.
create or replace function ledger.feed_end()
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_start constant record := ledger_private.parse_feed_cursor(null);
  v_epoch constant text := ledger_private.feed_epoch();
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_read pg_snapshot;
begin
  v_read := ledger_private.feed_snapshot(
    v_snapshot, v_start.since,
    ledger_private.feed_last_xid(split_part(v_epoch, '.', 1)::int, '3', v_snapshot)
  );

  return ledger_private.feed_cursor(v_epoch, v_read, v_start.low, v_start.high, v_read, 0);
end
$$;

comment on function ledger.feed_end is
  'A cursor for ledger.read_feed that has read every payment visible now.';
