-- Promise 1, rejected: a key without a payment holds a refusal of the catalogue, one of those that
-- are stored. Times, because a refusal has no payment_id: those of a slice's payments.
create or replace function ledger_private.verify_refusals(
  p_ledger_id int,
  p_from_at timestamptz,
  p_until_at timestamptz
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  select b.breach, k.ledger_id, 'key ' || k.key, b.detail
  from ledger.idempotency_keys k
  left join ledger.ledgers l using (ledger_id)
  left join ledger.error_codes c on c.code = k.outcome ->> 'code' and c.outcome = 'rejected'
  cross join lateral (
    select 'key_without_ledger', '{}'::jsonb
    where l.ledger_id is null
    union all
    select 'key_without_outcome', '{}'
    where k.outcome is null
    union all
    select 'refusal_unknown', k.outcome
    where k.outcome is not null and c.code is null
  ) b (breach, detail)
  where k.payment_id is null
    and (p_ledger_id is null or k.ledger_id = p_ledger_id)
    and (p_from_at is null or k.created_at >= p_from_at)
    and (p_until_at is null or k.created_at < p_until_at)
$$;
