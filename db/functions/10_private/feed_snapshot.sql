-- What a cursor keeps of the snapshot that a window ends with, when p_last_xid is the window's
-- last transaction with a payment, and what was visible to p_since was read before: the snapshot,
-- but ending after p_last_xid.
--
-- That transaction is on disk, so ids up to it are never given out again. Higher ones may be:
-- when they were rolled back, and then the server crashes. A cursor that says it has read them
-- would miss the payments that come under them.
create or replace function ledger_private.feed_snapshot(
  p_snapshot pg_snapshot,
  p_since pg_snapshot,
  p_last_xid xid8
)
returns pg_snapshot
language plpgsql
stable
as $$
declare
  v_xmax constant xid8 := greatest(
    pg_snapshot_xmax(p_since), (p_last_xid::text::bigint + 1)::text::xid8
  );
begin
  if v_xmax = pg_snapshot_xmin(p_since) then
    return p_since;  -- nothing was found, and nothing is waited for
  end if;

  return (
    select concat_ws(
      ':', coalesce(min(xid), v_xmax), v_xmax, coalesce(string_agg(xid::text, ',' order by xid), '')
    )::pg_snapshot
    from pg_snapshot_xip(p_snapshot) xid
    where xid < v_xmax
  );
end
$$;
