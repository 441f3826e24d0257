-- Claims the key and writes everything a posted payment is, in one statement: the key decides. If
-- another transaction has it (waiting for it if it is still running), nothing is written and the
-- result is false. The accounts are locked, so versions and balances are ours to give.
create or replace function ledger_private.append_payment(
  p_ledger_id int,
  p_idem_key text,
  p_fingerprint bytea,
  p_payment_id uuid,
  p_posted_at timestamptz,
  p_kind text,
  p_description text,
  p_metadata jsonb,
  p_effective_at timestamptz,
  p_entries ledger_private.entry[],
  p_accounts ledger_private.locked_account[]
)
returns boolean
language plpgsql
volatile
as $$
begin
  with claimed as (
    insert into ledger.idempotency_keys
      (ledger_id, key, fingerprint, payment_id, render_version, created_at)
    values
      (p_ledger_id, p_idem_key, p_fingerprint, p_payment_id, 1, p_posted_at)
    on conflict do nothing
    returning payment_id
  ),
  payment as (
    insert into ledger.payments
      (ledger_id, payment_id, kind, description, metadata, effective_at, posted_at)
    select
      p_ledger_id, payment_id, p_kind, p_description, p_metadata, p_effective_at, p_posted_at
    from claimed
  ),
  balances as (
    update ledger.accounts a
    set balance = l.balance, held = l.held, version = l.version
    from claimed, unnest(p_accounts) l
    -- As ANY it can only be looked up: for "=" a plan may read all accounts, in order, if there
    -- were few when it was made.
    where a.account_id = any (array[l.account_id])
  )
  insert into ledger.ledger_entries
    (ledger_id, account_id, version, payment_id, posting_no,
     amount, held, balance_after, held_after)
  select
    p_ledger_id, e.account_id, e.version, c.payment_id, e.posting_no,
    e.amount, e.held, e.balance_after, e.held_after
  from claimed c, unnest(p_entries) e;

  return found;
end
$$;
