-- Locks nothing. Raises unknown_ledger, unknown_account, account_code_malformed.
create or replace function ledger.get_balance(p_code text, p_ledger_id int default 1)
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
  from ledger.accounts a
  where a.ledger_id = p_ledger_id
    and a.code = p_code;

  if not found then
    perform ledger_private.raise_unknown_account(p_ledger_id, p_code);
  end if;
end
$$;

comment on function ledger.get_balance is
  'An account''s balance in integer minor units, with its version: the number of its entries. '
  'available = balance - held. Raises unknown_account.';
