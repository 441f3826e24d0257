-- Claims the key, then writes everything a posted payment is. If another transaction has the key
-- (waiting for it if it is still running), nothing is written and the result is false. The
-- accounts are locked, so versions and balances are ours to give.
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
declare
  v_account ledger_private.locked_account;
begin
  insert into ledger.idempotency_keys
    (ledger_id, key, fingerprint, payment_id, render_version, created_at)
  values
    (p_ledger_id, p_idem_key, p_fingerprint, p_payment_id, 1, p_posted_at)
  on conflict do nothing;
  if not found then
    return false;
  end if;

  insert into ledger.payments
    (ledger_id, payment_id, kind, description, metadata, effective_at, posted_at, feed_epoch)
  values
    (p_ledger_id, p_payment_id, p_kind, p_description, p_metadata, p_effective_at, p_posted_at,
     (select max(feed_epoch) from ledger.feed_epochs));

  insert into ledger.ledger_entries
    (ledger_id, account_id, version, payment_id, posting_no,
     amount, held, balance_after, held_after)
  select
    p_ledger_id, account_id, version, p_payment_id, posting_no,
    amount, held, balance_after, held_after
  from unnest(p_entries);

  -- One by one and by primary key: a join could be planned as a scan of all accounts.
  foreach v_account in array p_accounts loop
    update ledger.accounts
    set balance = v_account.balance, held = v_account.held, version = v_account.version
    where ledger_id = p_ledger_id
      and account_id = v_account.account_id;
  end loop;

  return true;
end
$$;
