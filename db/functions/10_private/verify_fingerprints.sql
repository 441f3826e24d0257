-- Promise 1, content: a posted payment still says what its key's fingerprint was made of: kind,
-- accounts, currencies, amounts, description, metadata, effective_at. So a retry is recognised, and
-- whoever changed a row of history, triggers or no triggers, is found out.
create or replace function ledger_private.verify_fingerprints(
  p_ledger_id int,
  p_from_id uuid,
  p_until_id uuid
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  with contents as (
    select
      e.ledger_id, e.payment_id,
      array_agg(
        (e.posting_no, a.code, a.currency, e.amount, e.held)::ledger_private.change
        -- As post_changes had them: of a posting the debit comes first.
        order by e.posting_no, e.amount
      ) as changes
    from ledger.ledger_entries e
    join ledger.accounts a using (ledger_id, account_id)
    where (p_ledger_id is null or e.ledger_id = p_ledger_id)
      and (p_from_id is null or e.payment_id >= p_from_id)
      and (p_until_id is null or e.payment_id < p_until_id)
    group by e.ledger_id, e.payment_id
  ),
  keys as (
    select
      k.ledger_id, k.key, k.payment_id, k.fingerprint,
      ledger_private.payment_fingerprint(
        p.kind, c.changes, p.description, p.metadata, p.effective_at
      ) as expected
    from ledger.idempotency_keys k
    join ledger.payments p using (ledger_id, payment_id)
    join contents c using (ledger_id, payment_id)
    where (p_ledger_id is null or k.ledger_id = p_ledger_id)
      and (p_from_id is null or k.payment_id >= p_from_id)
      and (p_until_id is null or k.payment_id < p_until_id)
      and (p_from_id is null or p.payment_id >= p_from_id)
      and (p_until_id is null or p.payment_id < p_until_id)
  )
  select
    'fingerprint_differs',
    ledger_id,
    'key ' || key,
    jsonb_build_object(
      'payment_id', payment_id,
      'expected', encode(expected, 'hex'),
      'found', encode(fingerprint, 'hex')
    )
  from keys
  where fingerprint <> expected
$$;
