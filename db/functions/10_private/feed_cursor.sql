-- A feed cursor as read_feed gives it; parse_feed_cursor reads it. What its parts mean is told
-- there. The last four are there only between two pages of a window.
create or replace function ledger_private.feed_cursor(
  p_epoch text,
  p_since pg_snapshot,
  p_low uuid,
  p_high uuid,
  p_swept pg_snapshot,
  p_swept_at bigint,
  p_upto pg_snapshot default null,
  p_sweeping boolean default null,
  p_after_xid xid8 default null,
  p_after_payment_id uuid default null
)
returns jsonb
language sql
stable parallel safe
as $$
  select jsonb_strip_nulls(
    jsonb_build_object(
      'epoch', p_epoch,
      'since', p_since,
      'low', p_low,
      'high', p_high,
      'swept', p_swept,
      'swept_at', p_swept_at,
      'upto', p_upto,
      'sweeping', p_sweeping,
      'after_xid', p_after_xid,
      'after_payment_id', p_after_payment_id
    )
  )
$$;
