-- Idempotent by code: the same content returns the account that is there, whatever its balance
-- and status have become; other content raises account_exists. Raises account_code_malformed,
-- unknown_ledger, unknown_currency, account_type_unknown, limits_invalid, metadata_not_object,
-- metadata_too_large. Locks nothing that posting waits for.
create or replace function ledger.create_account(
  p_code text,
  p_currency text,
  p_type text default 'liability',
  p_min_balance numeric default 0,
  p_max_balance numeric default null,
  p_metadata jsonb default '{}',
  p_ledger_id int default 1
)
returns table (
  code text,
  currency text,
  type text,
  status text,
  balance numeric,
  held numeric,
  available numeric,
  version bigint,
  min_balance numeric,
  max_balance numeric,
  metadata jsonb,
  created_at timestamptz,
  created boolean
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
#variable_conflict use_column
declare
  v_account ledger.accounts;
  v_first ledger.account_changes;
begin
  perform ledger_private.check_new_account(
    p_ledger_id, p_code, p_currency, p_type, p_min_balance, p_max_balance, p_metadata
  );

  insert into ledger.accounts (ledger_id, code, currency, type, min_balance, max_balance, metadata)
  values (p_ledger_id, p_code, p_currency, p_type, p_min_balance, p_max_balance, p_metadata)
  on conflict (ledger_id, code) do nothing
  returning * into v_account;

  if found then
    perform ledger_private.record_account_change(v_account);
    return query select (ledger_private.visible_account(v_account)).*, true;
    return;
  end if;

  v_account := ledger_private.find_account(p_ledger_id, p_code);
  -- Compared with what it was created with: limits may have been changed since.
  select *
  into strict v_first
  from ledger.account_changes c
  where c.ledger_id = p_ledger_id
    and c.account_id = v_account.account_id
  order by c.change_id
  limit 1;
  if (
    v_account.currency, v_account.type,
    v_first.min_balance, v_first.max_balance, v_first.metadata
  )
    is distinct from (p_currency, p_type, trunc(p_min_balance), trunc(p_max_balance), p_metadata)
  then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'account_exists', 'account', p_code)
    );
  end if;
  return query select (ledger_private.visible_account(v_account)).*, false;
end
$$;

comment on function ledger.create_account is
  'Creates an account, or returns the one of this code if it was created with the same content. '
  'p_min_balance: no debit takes available below it (default 0: never negative; null: no minimum). '
  'p_type: asset, liability, equity, income or expense.';
