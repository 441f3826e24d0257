-- changes_since for whatever window the cursor is in, and for none yet: by feed_window and
-- feed_account_changes. p_snapshot: the statement's.
--
-- Raises limit_out_of_range, feed_cursor_malformed, feed_on_standby, feed_in_transaction,
-- feed_history_changed, feed_epoch_ended, feed_cursor_ahead.
create or replace function ledger_private.changes_in_window(
  p_cursor ledger.changes_cursor,
  p_limit int,
  p_snapshot pg_snapshot
)
returns ledger_private.changes_page
language plpgsql
stable
as $$
declare
  c_accounts_start constant pg_snapshot := '3:3:';  -- 3 is the first transaction of a cluster
  v_window record;
  v_accounts record;
  v_page ledger_private.changes_page;
begin
  perform ledger_private.check_limit(p_limit, 5000);
  if p_cursor is null then
    v_page.next_cursor := ledger_private.changes_cursor(
      ledger.feed_end(),
      ledger_private.feed_snapshot(
        p_snapshot, c_accounts_start,
        (
          select c.xid
          from ledger.account_changes c
          where c.xid < pg_snapshot_xmax(p_snapshot)
          order by c.xid desc
          limit 1
        )
      )
    );
    v_page.has_more := false;
    v_page.payment_count := 0;
    v_page.changes := '{}';
    v_page.lsn := pg_current_wal_lsn() - '0/0';
    return v_page;
  end if;

  if p_cursor.accounts is null then
    perform ledger_private.raise_error(
      jsonb_build_object(
        'code', 'feed_cursor_malformed', 'cursor', left(to_jsonb(p_cursor)::text, 1000)
      )
    );
  end if;
  select w.*
  into strict v_window
  from ledger_private.feed_window(
    coalesce(
      p_cursor.page,
      ledger_private.feed_cursor(
        p_cursor.epoch, p_cursor.since, p_cursor.low, p_cursor.high, p_cursor.swept,
        p_cursor.swept_at
      )
    ),
    p_limit, true
  ) w;
  v_accounts := ledger_private.feed_account_changes(p_cursor.accounts, p_snapshot, p_limit);

  if v_window.next_cursor ? 'upto' then  -- as it was, also where nothing of it is visible yet
    v_page.next_cursor.accounts := v_accounts.next_since;
    v_page.next_cursor.page := v_window.next_cursor;
  else
    v_page.next_cursor := ledger_private.changes_cursor(
      v_window.next_cursor, v_accounts.next_since
    );
  end if;
  v_page.has_more := v_window.has_more;
  v_page.payment_count := v_window.payment_count;
  v_page.changes := array(select c::text from json_array_elements(v_window.payments) c)
    || array(select c::text from jsonb_array_elements(v_accounts.changes) c);
  v_page.lsn := pg_current_wal_lsn() - '0/0';
  return v_page;
end
$$;
