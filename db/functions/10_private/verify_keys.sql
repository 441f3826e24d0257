-- Promise 1, posted: every key has its payment, no payment two keys, and an answer can be written.
-- Where keys are kept for ever, every payment has one, of the very time it was posted at.
create or replace function ledger_private.verify_keys(
  p_ledger_id int,
  p_from_id uuid,
  p_until_id uuid
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  with keys as (
    select
      k.*,
      lag(k.key) over (partition by k.ledger_id, k.payment_id order by k.created_at, k.key)
        as other_key
    from ledger.idempotency_keys k
    where (p_ledger_id is null or k.ledger_id = p_ledger_id)
      and k.payment_id is not null
      and (p_from_id is null or k.payment_id >= p_from_id)
      and (p_until_id is null or k.payment_id < p_until_id)
  ),
  payments as (
    select p.ledger_id, p.payment_id, p.posted_at, l.idempotency_retention
    from ledger.payments p
    left join ledger.ledgers l using (ledger_id)
    where (p_ledger_id is null or p.ledger_id = p_ledger_id)
      and (p_from_id is null or p.payment_id >= p_from_id)
      and (p_until_id is null or p.payment_id < p_until_id)
  )
  select
    b.breach,
    coalesce(k.ledger_id, p.ledger_id),
    coalesce('key ' || k.key, 'payment ' || p.payment_id),
    b.detail || jsonb_strip_nulls(jsonb_build_object('payment_id', k.payment_id))
  from keys k
  full join payments p on p.ledger_id = k.ledger_id and p.payment_id = k.payment_id
  cross join lateral (
    select 'payment_without_key', '{}'::jsonb
    where k.key is null and p.idempotency_retention is null
    union all
    select 'key_without_payment', '{}'
    where p.payment_id is null
    union all
    select 'payment_with_two_keys', jsonb_build_object('other_key', k.other_key)
    where k.other_key is not null
    union all
    select
      'key_and_payment_differ_in_time',
      jsonb_build_object('created_at', k.created_at, 'posted_at', p.posted_at)
    where k.created_at <> p.posted_at and p.idempotency_retention is null
    union all
    select 'key_with_two_outcomes', jsonb_build_object('outcome', k.outcome)
    where k.outcome is not null
    union all
    select 'answer_not_renderable', jsonb_build_object('render_version', k.render_version)
    where k.render_version <> 1
  ) b (breach, detail)
$$;
