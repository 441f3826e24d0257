-- Raises limit_out_of_range, unknown_account. Stable under inserts: pages go by version.
create or replace function ledger.list_entries(
  p_code text,
  p_before_version bigint default null,
  p_limit int default 50,
  p_ledger_id int default 1
)
returns table (
  version bigint,
  payment_id uuid,
  posting_no int,
  amount numeric,
  held numeric,
  balance_after numeric,
  held_after numeric,
  kind text,
  description text,
  posted_at timestamptz
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
-- In the order of an index: what is sorted has to be read whole.
set enable_sort = off
as $$
#variable_conflict use_column
declare
  v_account ledger.accounts;
begin
  perform ledger_private.check_limit(p_limit);
  v_account := ledger_private.find_account(p_ledger_id, p_code);

  return query
  select
    e.version, e.payment_id, e.posting_no::int, e.amount::numeric, e.held::numeric,
    e.balance_after::numeric, e.held_after::numeric, p.kind, p.description, p.posted_at
  from (
    select *
    from ledger.ledger_entries e
    where e.ledger_id = p_ledger_id
      and e.account_id = v_account.account_id
      and e.version < coalesce(p_before_version, 9223372036854775807)
    order by e.version desc
    limit p_limit
  ) e
  -- OFFSET 0 has it look up each payment, whatever the planner thinks of their number.
  cross join lateral (
    select p.kind, p.description, p.posted_at
    from ledger.payments p
    where p.ledger_id = p_ledger_id
      and p.payment_id = e.payment_id
    offset 0
  ) p
  order by e.version desc;
end
$$;

comment on function ledger.list_entries is
  'An account''s entries, newest first: what moved its balance, and the balance after each. '
  'The next page: p_before_version = the last version.';
