-- Locks one account's row for a change of its limits or status, and returns it. Raises
-- unknown_ledger, unknown_account, account_code_malformed.
create or replace function ledger_private.lock_account(p_ledger_id int, p_code text)
returns ledger.accounts
language plpgsql
volatile
as $$
declare
  v_account ledger.accounts;
begin
  select *
  into v_account
  from ledger.accounts
  where ledger_id = p_ledger_id
    and code = p_code
  for no key update;

  if not found then
    perform ledger_private.raise_unknown_account(p_ledger_id, p_code);
  end if;
  return v_account;
end
$$;
