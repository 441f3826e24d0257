-- Locks nothing. Raises unknown_ledger, unknown_account, account_code_malformed.
create or replace function ledger.get_account(p_code text, p_ledger_id int default 1)
returns ledger.account
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
  select ledger_private.visible_account(ledger_private.find_account(p_ledger_id, p_code))
$$;

comment on function ledger.get_account is
  'An account with its balance, limits and status. Raises unknown_account.';
