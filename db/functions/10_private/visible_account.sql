-- An account row as callers see it.
create or replace function ledger_private.visible_account(p_account ledger.accounts)
returns ledger.account
language sql
immutable parallel safe
as $$
  select (
    (p_account).code, (p_account).currency, (p_account).type, (p_account).status,
    (p_account).balance, (p_account).held, (p_account).balance - (p_account).held,
    (p_account).version, (p_account).min_balance, (p_account).max_balance,
    (p_account).metadata, (p_account).created_at
  )::ledger.account
$$;
