-- Waits for payments on the account and holds its row lock until the caller's transaction ends.
-- Recorded in account_changes. Raises unknown_account, limits_invalid.
create or replace function ledger.set_account_limits(
  p_code text,
  p_min_balance numeric,
  p_max_balance numeric,
  p_ledger_id int default 1
)
returns ledger.account
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  v_account ledger.accounts;
begin
  perform ledger_private.check_limits(p_min_balance, p_max_balance);

  v_account := ledger_private.lock_account(p_ledger_id, p_code);
  if (v_account.min_balance, v_account.max_balance)
    is distinct from (trunc(p_min_balance), trunc(p_max_balance))
  then
    update ledger.accounts
    set min_balance = p_min_balance, max_balance = p_max_balance
    where account_id = v_account.account_id
    returning * into v_account;
    perform ledger_private.record_account_change(v_account);
  end if;

  return ledger_private.visible_account(v_account);
end
$$;

comment on function ledger.set_account_limits is
  'Sets an account''s minimum and maximum, for entries from now on; null: no limit. A balance that '
  'is already beyond a new limit stays: only further movement that way is refused.';
