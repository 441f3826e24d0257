-- The next payments of a window in order of (xid, payment_id), at most p_limit, as read_feed gives
-- them, or with p_as_balances, in one array, what feed_balances does; how many they are; the place
-- of the last one; and whether the window has more.
--
-- The window: the payments visible to p_upto but not to p_since, with an id from p_low to p_high.
-- With p_swept given, of the payments with other ids those not visible to p_swept, too.
create or replace function ledger_private.feed_page(
  p_feed_epoch int,
  p_since pg_snapshot,
  p_low uuid,
  p_high uuid,
  p_swept pg_snapshot,
  p_upto pg_snapshot,
  p_after_xid xid8,
  p_after_payment_id uuid,
  p_limit int,
  p_as_balances boolean default false,
  out payments json,
  out payment_count int,
  out last_xid xid8,
  out last_payment_id uuid,
  out has_more boolean
)
language plpgsql
stable
as $$
declare
  c_lowest constant uuid := '00000000-0000-0000-0000-000000000000';
  c_highest constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
  -- Which partitions are opened at all depends on these two.
  v_low constant uuid := case when p_swept is null then p_low else c_lowest end;
  v_high constant uuid := case when p_swept is null then p_high else c_highest end;
  v_since constant pg_snapshot := coalesce(p_swept, p_since);
  v_running constant xid8[] := array(select pg_snapshot_xip(v_since));
  v_until_xid constant xid8 := pg_snapshot_xmax(p_upto);
  v_after_xid constant xid8 := coalesce(p_after_xid, '0');
  v_after_payment_id constant uuid := coalesce(p_after_payment_id, c_lowest);
  v_new_xid xid8 := pg_snapshot_xmax(v_since);
  v_new_payment_id uuid := c_lowest;
  v_found record;
begin
  if v_after_xid >= v_new_xid then
    v_new_xid := v_after_xid;
    v_new_payment_id := v_after_payment_id;
  end if;

  -- Two branches, each an index scan in order: with an OR it would be a scan of everything.
  -- The aggregates take the rows as they come: in order.
  select
    array_agg(f.xid) as xids,
    array_agg(f.payment_id) as payment_ids,
    array_agg(f.ledger_id) as ledger_ids,
    array_agg(f.kind) as kinds,
    array_agg(f.posted_at) as posted_ats
  into v_found
  from (
    select f.*
    from (
      (
        select p.xid, p.payment_id, p.ledger_id, p.kind, p.posted_at
        from ledger.payments p
        where p.feed_epoch = p_feed_epoch
          and p.xid = any (v_running)
          and (p.xid, p.payment_id) > (v_after_xid, v_after_payment_id)
          and p.payment_id between v_low and v_high
          and pg_visible_in_snapshot(p.xid, p_upto)
          and not (
            p.payment_id between p_low and p_high and pg_visible_in_snapshot(p.xid, p_since)
          )
        order by p.xid, p.payment_id
        limit p_limit + 1
      )
      union all
      (
        select p.xid, p.payment_id, p.ledger_id, p.kind, p.posted_at
        from ledger.payments p
        where p.feed_epoch = p_feed_epoch
          and (p.xid, p.payment_id) > (v_new_xid, v_new_payment_id)
          and p.xid < v_until_xid
          and p.payment_id between v_low and v_high
          and pg_visible_in_snapshot(p.xid, p_upto)
          and not (
            p.payment_id between p_low and p_high and pg_visible_in_snapshot(p.xid, p_since)
          )
        order by p.xid, p.payment_id
        limit p_limit + 1
      )
    ) f
    order by f.xid, f.payment_id
    limit p_limit + 1
  ) f;

  has_more := cardinality(v_found.xids) > p_limit is true;
  if v_found.xids is null then
    payments := '[]';
    payment_count := 0;
    return;
  end if;
  payment_count := least(p_limit, cardinality(v_found.xids));
  last_xid := v_found.xids[payment_count];
  last_payment_id := v_found.payment_ids[payment_count];
  if p_as_balances then
    payments := concat(
      '[',
      array_to_string(
        ledger_private.feed_balances(v_found.payment_ids[:p_limit], v_low, v_high), ','
      ),
      ']'
    );
    return;
  end if;
  payments := ledger_private.feed_payments(
    v_found.ledger_ids[:p_limit], v_found.payment_ids[:p_limit], v_found.kinds[:p_limit],
    v_found.posted_ats[:p_limit], v_found.xids[:p_limit], v_low, v_high
  );
end
$$;
