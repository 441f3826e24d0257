-- Writes an account's limits, status and metadata, as they are now, to its history. They apply
-- from its next entry on. The caller holds the account's row lock.
create or replace function ledger_private.record_account_change(p_account ledger.accounts)
returns void
language sql
volatile
as $$
  insert into ledger.account_changes
    (ledger_id, account_id, from_version, status, min_balance, max_balance, metadata)
  values
    ((p_account).ledger_id, (p_account).account_id, (p_account).version + 1, (p_account).status,
     (p_account).min_balance, (p_account).max_balance, (p_account).metadata)
$$;
