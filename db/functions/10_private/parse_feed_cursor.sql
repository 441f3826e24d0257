-- The parts of a feed cursor. Raises feed_cursor_malformed for everything that is not, to the
-- letter, what ledger_private.feed_cursor makes of its parts.
--
-- epoch: the epoch, and the history it was started on; see ledger_private.feed_epoch.
-- since: what was visible to it was read, of the payments with an id from low to high.
-- swept, swept_at: what was visible to it was read, of all payments; when, in Unix milliseconds.
-- Between two pages of a window:
-- upto, sweeping: the window ends with what was visible to upto; whether it takes all payments.
-- after_xid, after_payment_id: the last payment of the last page.
create or replace function ledger_private.parse_feed_cursor(
  p_cursor jsonb,
  out epoch text,
  out since pg_snapshot,
  out low uuid,
  out high uuid,
  out swept pg_snapshot,
  out swept_at bigint,
  out upto pg_snapshot,
  out sweeping boolean,
  out after_xid xid8,
  out after_payment_id uuid
)
language plpgsql
stable
as $$
begin
  if p_cursor is null then
    since := '3:3:';  -- 3 is the first transaction of a cluster
    low := '00000000-0000-0000-0000-000000000000';
    high := low;
    swept := since;
    swept_at := 0;
    return;
  end if;

  begin
    select c.*
    into epoch, since, low, high, swept, swept_at, upto, sweeping, after_xid, after_payment_id
    from jsonb_to_record(p_cursor) c (
      epoch text, since pg_snapshot, low uuid, high uuid, swept pg_snapshot, swept_at bigint,
      upto pg_snapshot, sweeping boolean, after_xid xid8, after_payment_id uuid
    );
  exception
    when data_exception then
      epoch := null;
  end;

  if (
    epoch ~ '^[0-9]{1,9}[.][0-9]{1,19}[.][0-9A-F]{8}[.][0-9]{1,10}$'
    and num_nulls(since, low, high, swept, swept_at) = 0
    and num_nulls(upto, sweeping, after_xid, after_payment_id) in (0, 4)
    and swept_at between 0 and 253402300799999  -- the year 9999
    and p_cursor = ledger_private.feed_cursor(
      epoch, since, low, high, swept, swept_at, upto, sweeping, after_xid, after_payment_id
    )
  ) is not true then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'feed_cursor_malformed', 'cursor', left(p_cursor::text, 1000))
    );
  end if;
end
$$;
