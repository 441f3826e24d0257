-- Promise 3, conservation: the entries of each payment sum to zero in every currency. (Those
-- without an account have no currency: verify_payments finds them.)
create or replace function ledger_private.verify_conservation(
  p_ledger_id int,
  p_from_id uuid,
  p_until_id uuid
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  select
    'payment_unbalanced',
    e.ledger_id,
    'payment ' || e.payment_id,
    jsonb_build_object('currency', a.currency, 'sum', sum(e.amount)::text)
  from ledger.ledger_entries e
  join ledger.accounts a using (ledger_id, account_id)
  where (p_ledger_id is null or e.ledger_id = p_ledger_id)
    and (p_from_id is null or e.payment_id >= p_from_id)
    and (p_until_id is null or e.payment_id < p_until_id)
  group by e.ledger_id, e.payment_id, a.currency
  having sum(e.amount) <> 0
$$;
