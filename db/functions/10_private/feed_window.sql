-- The payments that became visible since p_cursor, each exactly once, whoever posted them and
-- however long their transaction took; with p_as_balances what they made of the accounts, instead.
-- Waits for nothing and locks nothing.
--
-- What is new: a payment is, if the statement's snapshot shows its transaction and the cursor's
-- snapshot does not: then it was running when the cursor was made (its id is listed there), or had
-- none yet (its id is not below the cursor's end). All of a call works with one snapshot, as the
-- function is stable; the next cursor carries it on, see ledger_private.feed_snapshot.
--
-- Pages: if there is more than p_limit, the cursor keeps the window (from `since` to `upto`) and
-- the place in it until all its pages are read. The window's end does not move: what becomes
-- visible meanwhile belongs to the next one.
--
-- Cost: a poll opens only the partitions of the hours around now. What other ids may hold (a
-- transaction that took hours, a clock that was wrong) is looked for every half second, in all
-- partitions: a sweep. Ids in and out of that range have a snapshot each, and the range changes
-- only when both are the same; so nothing is read twice or missed, whatever the clock does.
--
-- Raises feed_cursor_malformed, feed_on_standby, feed_in_transaction,
-- feed_history_changed, feed_epoch_ended, feed_cursor_ahead.
create or replace function ledger_private.feed_window(
  p_cursor jsonb,
  p_limit int,
  p_as_balances boolean
)
returns table (next_cursor jsonb, has_more boolean, payments json, payment_count int)
language plpgsql
stable
as $$
declare
  c_reach constant interval := '1 hour';
  v_now constant timestamptz := clock_timestamp();
  v_now_ms constant bigint := extract(epoch from v_now) * 1000;
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_cursor record;
  v_epoch text;
  v_feed_epoch int;
  v_sweeping boolean;
  v_upto pg_snapshot;
  v_page record;
begin
  v_cursor := ledger_private.parse_feed_cursor(p_cursor);
  v_sweeping := coalesce(v_cursor.sweeping, ledger_private.is_sweep_due(v_cursor.swept_at));
  v_epoch := ledger_private.feed_epoch();
  if v_cursor.epoch <> v_epoch then
    perform ledger_private.raise_error(
      jsonb_build_object(
        'code', 'feed_epoch_ended', 'cursor_epoch', v_cursor.epoch, 'current_epoch', v_epoch
      )
    );
  end if;

  if not ledger_private.feed_reaches(v_snapshot, coalesce(v_cursor.upto, v_cursor.since)) then
    return query select p_cursor, false, '[]'::json, 0;
    return;
  end if;

  v_feed_epoch := split_part(v_epoch, '.', 1);
  v_page := ledger_private.feed_page(
    v_feed_epoch, v_cursor.since, v_cursor.low, v_cursor.high,
    case when v_sweeping then v_cursor.swept end, coalesce(v_cursor.upto, v_snapshot),
    v_cursor.after_xid, v_cursor.after_payment_id, p_limit, p_as_balances
  );

  v_upto := coalesce(
    v_cursor.upto,
    ledger_private.feed_snapshot(
      v_snapshot, v_cursor.since,
      case
        when v_page.has_more then
          ledger_private.feed_last_xid(
            v_feed_epoch, pg_snapshot_xmax(v_cursor.since), v_snapshot
          )
        else v_page.last_xid
      end
    )
  );
  next_cursor := case
    when v_page.has_more then
      ledger_private.feed_cursor(
        v_epoch, v_cursor.since, v_cursor.low, v_cursor.high, v_cursor.swept, v_cursor.swept_at,
        v_upto, v_sweeping, v_page.last_xid, v_page.last_payment_id
      )
    when v_sweeping then
      ledger_private.feed_cursor(
        v_epoch, v_upto, ledger_private.payment_id_at(v_now - c_reach),
        ledger_private.payment_id_at(v_now + c_reach), v_upto, v_now_ms
      )
    else
      ledger_private.feed_cursor(
        v_epoch, v_upto, v_cursor.low, v_cursor.high, v_cursor.swept, v_cursor.swept_at
      )
  end;
  has_more := v_page.has_more;
  payments := v_page.payments;
  payment_count := v_page.payment_count;
  return next;
end
$$;
