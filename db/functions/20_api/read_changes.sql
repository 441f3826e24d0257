-- What read_feed gives, as the relay needs it: not the payments, but what they made of the
-- accounts. `changes` is an array of [ledger_id, code, version, currency, balance, held], of each
-- account the newest entry of the page; balance and held are null where only limits or status were
-- set. See ledger_private.feed_window and feed_account_changes.
--
-- Null, the first cursor, starts at the end: nothing is told. As of read_at everything was read
-- that was visible, once has_more is false; a standby that has replayed lsn has all of it, too.
-- Locks nothing. Raises limit_out_of_range, feed_cursor_malformed, feed_on_standby,
-- feed_in_transaction, feed_history_changed, feed_epoch_ended, feed_cursor_ahead.
create or replace function ledger.read_changes(
  p_cursor jsonb default null,
  p_limit int default 1000
)
returns table (
  next_cursor jsonb,
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
set plan_cache_mode = force_generic_plan
as $$
declare
  c_accounts_start constant pg_snapshot := '3:3:';  -- 3 is the first transaction of a cluster
  v_snapshot constant pg_snapshot := pg_current_snapshot();
  v_since pg_snapshot;
  v_window record;
  v_accounts record;
begin
  read_at := statement_timestamp();
  if p_cursor is null then
    perform ledger_private.check_limit(p_limit);
    return query
    select
      jsonb_build_object(
        'payments', ledger.feed_end(),
        'accounts', ledger_private.feed_snapshot(
          v_snapshot, c_accounts_start,
          (
            select c.xid
            from ledger.account_changes c
            where c.xid < pg_snapshot_xmax(v_snapshot)
            order by c.xid desc
            limit 1
          )
        )
      ),
      false, 0, '[]'::json, (pg_current_wal_lsn() - '0/0')::bigint, read_at;
    return;
  end if;

  begin
    v_since := p_cursor ->> 'accounts';
  exception
    when data_exception then
      v_since := null;
  end;
  if v_since is null or jsonb_typeof(p_cursor -> 'payments') is distinct from 'object' then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'feed_cursor_malformed', 'cursor', left(p_cursor::text, 1000))
    );
  end if;

  select w.*
  into strict v_window
  from ledger_private.feed_window(p_cursor -> 'payments', p_limit, true) w;
  v_accounts := ledger_private.feed_account_changes(v_since, v_snapshot, p_limit);

  next_cursor := jsonb_build_object(
    'payments', v_window.next_cursor, 'accounts', v_accounts.next_since
  );
  has_more := v_window.has_more;
  payment_count := v_window.payment_count;
  changes := v_window.payments;
  if v_accounts.changes <> '[]' then
    changes := v_window.payments::jsonb || v_accounts.changes;
  end if;
  lsn := pg_current_wal_lsn() - '0/0';
  return next;
end
$$;

comment on function ledger.read_changes is
  'For the relay: the balances that changed since a cursor, whoever posted, each account''s newest '
  'one of the page. Null starts at the end.';
