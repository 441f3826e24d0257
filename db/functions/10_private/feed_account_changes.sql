-- The accounts that were created, or whose limits or status were set, by transactions that
-- p_snapshot shows and p_since does not, as feed_balances gives them; and the snapshot for the next
-- call. Before the first entry the balance is 0; later it is not told here, but null.
--
-- Of more than p_limit the rest is not told. Nothing cached depends on it: an account that was
-- looked for in vain is remembered for a second, and limits and status not at all.
create or replace function ledger_private.feed_account_changes(
  p_since pg_snapshot,
  p_snapshot pg_snapshot,
  p_limit int,
  out changes jsonb,
  out next_since pg_snapshot
)
language plpgsql
stable
as $$
declare
  v_running xid8[];
  v_found record;
begin
  -- Nearly always nothing was changed.
  if not exists (
    select from ledger.account_changes where xid >= pg_snapshot_xmin(p_since)
  ) then
    changes := '[]';
    next_since := p_since;
    return;
  end if;

  v_running := array(select pg_snapshot_xip(p_since));
  -- Two branches, each an index scan: with an OR it would be a scan of everything.
  select
    max(c.xid) as last_xid,
    jsonb_agg(
      jsonb_build_array(
        c.ledger_id,
        jsonb_build_array(
          a.code, c.from_version - 1, a.currency, case when c.from_version = 1 then '0' end,
          case when c.from_version = 1 then '0' end
        )
      )
    ) as changes
  into v_found
  from (
    (
      select c.ledger_id, c.account_id, c.from_version, c.xid
      from ledger.account_changes c
      where c.xid = any (v_running)
        and pg_visible_in_snapshot(c.xid, p_snapshot)
      order by c.xid
      limit p_limit
    )
    union all
    (
      select c.ledger_id, c.account_id, c.from_version, c.xid
      from ledger.account_changes c
      where c.xid >= pg_snapshot_xmax(p_since)
        and c.xid < pg_snapshot_xmax(p_snapshot)
        and pg_visible_in_snapshot(c.xid, p_snapshot)
      order by c.xid
      limit p_limit
    )
  ) c
  join ledger.accounts a using (account_id);

  changes := coalesce(v_found.changes, '[]');
  next_since := ledger_private.feed_snapshot(p_snapshot, p_since, v_found.last_xid);
end
$$;
