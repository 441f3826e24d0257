-- The row of an account. Raises unknown_ledger or unknown_account.
create or replace function ledger_private.find_account(p_ledger_id int, p_code text)
returns ledger.accounts
language plpgsql
stable
as $$
declare
  v_account ledger.accounts;
begin
  select *
  into v_account
  from ledger.accounts
  where ledger_id = p_ledger_id
    and code = p_code;

  if not found then
    perform ledger_private.raise_unknown_account(p_ledger_id, p_code);
  end if;
  return v_account;
end
$$;
