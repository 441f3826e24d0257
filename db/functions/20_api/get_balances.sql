-- What get_balance gives, of many accounts at once and as of one moment. Those that do not exist
-- are left out, so nobody's mistake costs the others their answer.
--
-- Locks nothing. Raises unknown_ledger, if nothing was found.
create or replace function ledger.get_balances(p_codes text[], p_ledger_id int default 1)
returns table (
  code text,
  currency text,
  version bigint,
  balance numeric,
  held numeric,
  available numeric
)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select
    a.code::text, a.currency::text, a.version, a.balance::numeric, a.held::numeric,
    a.balance - a.held
  from
    (select distinct unnest(p_codes) as code) c
    -- OFFSET 0 has it look up each code, also if the planner thinks the ledger small.
    cross join lateral (
      select * from ledger.accounts where ledger_id = p_ledger_id and code = c.code offset 0
    ) a;

  if not found then
    perform ledger_private.check_ledger(p_ledger_id);
  end if;
end
$$;

comment on function ledger.get_balances is
  'get_balance of many accounts, as of one moment and in no order; those that do not exist are '
  'left out.';
