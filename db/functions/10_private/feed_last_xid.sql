-- The newest of an epoch's transactions with a payment that p_snapshot shows, from p_from on.
-- Null: there is none.
create or replace function ledger_private.feed_last_xid(
  p_feed_epoch int,
  p_from xid8,
  p_snapshot pg_snapshot
)
returns xid8
language plpgsql
stable
as $$
begin
  return (
    select xid
    from ledger.payments
    where feed_epoch = p_feed_epoch
      and xid >= p_from
      and xid < pg_snapshot_xmax(p_snapshot)
    order by xid desc
    limit 1
  );
end
$$;
