-- What became of accounts since a cursor, as read_changes gives it: `changes` is one JSON text for
-- each account, as feed_balances and feed_account_changes make them. Null, the first cursor, starts
-- at the end. All of a call works with one snapshot: it is stable.
--
-- Nearly always the window is the simplest one there is: no sweep is due, no page under way, and it
-- has room on one page. Then one statement finds out all that is to be found out: what it sees is
-- what its snapshot shows. It does not ask for the history, which would be a third of an idle poll:
-- the relay gives a cursor to the session that it has it from, where the history cannot have become
-- another. changes_in_window does the rest, asks when it sweeps, and says what is wrong.
create or replace function ledger_private.changes_since(
  p_cursor ledger.changes_cursor,
  p_limit int
)
returns ledger_private.changes_page
language plpgsql
stable
as $$
declare
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_new record;
  v_page ledger_private.changes_page;
begin
  if p_cursor.page is null
    and num_nulls(
      p_cursor.epoch, p_cursor.feed_epoch, p_cursor.since, p_cursor.low, p_cursor.high,
      p_cursor.swept, p_cursor.accounts
    ) = 0
    and not ledger_private.is_sweep_due(p_cursor.swept_at)
    and p_limit between 1 and 5000
  then
    select
      count(*)::int as payment_count,
      array_agg(p.payment_id) as payment_ids,
      max(p.xid) as last_xid,
      not pg_is_in_recovery()
        and pg_current_xact_id_if_assigned() is null
        and not exists (select from ledger.feed_epochs where feed_epoch > p_cursor.feed_epoch)
        and not exists (
          select from ledger.account_changes where xid >= pg_snapshot_xmin(p_cursor.accounts)
        ) as is_simple
    into v_new
    from (
      -- Ordered, where sorting is off (and jit, which a sort that has to be would set off): or a
      -- plan reads by payment_id all that was posted in the range of ids.
      (
        select xid, payment_id
        from ledger.payments
        where feed_epoch = p_cursor.feed_epoch
          and xid = any (array(select pg_snapshot_xip(p_cursor.since)))
          and payment_id between p_cursor.low and p_cursor.high
        order by xid, payment_id
        limit p_limit + 1
      )
      union all
      (
        select xid, payment_id
        from ledger.payments
        where feed_epoch = p_cursor.feed_epoch
          and xid >= pg_snapshot_xmax(p_cursor.since)
          and payment_id between p_cursor.low and p_cursor.high
        order by xid, payment_id
        limit p_limit + 1
      )
    ) p;

    if v_new.is_simple
      and v_new.payment_count <= p_limit
      and ledger_private.feed_reaches(v_snapshot, p_cursor.since)
    then
      v_page.next_cursor := p_cursor;
      v_page.next_cursor.since := ledger_private.feed_snapshot(
        v_snapshot, p_cursor.since, v_new.last_xid
      );
      v_page.has_more := false;
      v_page.payment_count := v_new.payment_count;
      v_page.changes := case
        when v_new.payment_count = 0 then '{}'
        else ledger_private.feed_balances(v_new.payment_ids, p_cursor.low, p_cursor.high)
      end;
      v_page.lsn := pg_current_wal_lsn() - '0/0';
      return v_page;
    end if;
  end if;

  return ledger_private.changes_in_window(p_cursor, p_limit, v_snapshot);
end
$$;
