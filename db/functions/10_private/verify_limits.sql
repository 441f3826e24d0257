-- Promise 3, limits: when an entry was written its account was open, a debit left it at or above
-- the minimum then in force, a credit at or below the maximum. In force is the last change whose
-- from_version is not above the entry's version: found by sorting changes and entries together.
create or replace function ledger_private.verify_limits(
  p_ledger_id int,
  p_from_id uuid,
  p_until_id uuid
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  with entries as not materialized (
    select
      e.ledger_id, e.account_id, e.version,
      -- A debit lowers what is available, a credit raises the balance; other entries do neither.
      case when e.amount < e.held then e.balance_after - e.held_after end as debited_to,
      case when e.amount > 0 then e.balance_after end as credited_to
    from ledger.ledger_entries e
    where (p_ledger_id is null or e.ledger_id = p_ledger_id)
      and (p_from_id is null or e.payment_id >= p_from_id)
      and (p_until_id is null or e.payment_id < p_until_id)
  ),
  timeline as (
    select
      t.*,
      max(t.change_id) over (
        partition by t.ledger_id, t.account_id
        order by t.version, t.change_id nulls last
      ) as change_in_force
    from (
      select e.*, null::bigint as change_id
      from entries e
      union all
      select c.ledger_id, c.account_id, c.from_version, null, null, c.change_id
      from ledger.account_changes c
      where (c.ledger_id, c.account_id) in (select e.ledger_id, e.account_id from entries e)
    ) t
  )
  select
    b.breach,
    e.ledger_id,
    ledger_private.entry_subject(e.ledger_id, e.account_id, e.version),
    b.detail || jsonb_build_object('change_id', c.change_id)
  from timeline e
  join ledger.account_changes c
    on c.ledger_id = e.ledger_id
    and c.account_id = e.account_id
    and c.change_id = e.change_in_force
  cross join lateral (
    select 'entry_while_not_open', jsonb_build_object('status', c.status)
    where c.status <> 'open'
    union all
    select
      'debit_below_minimum',
      jsonb_build_object('available', e.debited_to::text, 'min_balance', c.min_balance::text)
    where e.debited_to < c.min_balance
    union all
    select
      'credit_above_maximum',
      jsonb_build_object('balance', e.credited_to::text, 'max_balance', c.max_balance::text)
    where e.credited_to > c.max_balance
  ) b (breach, detail)
  where e.change_id is null
    and (c.status <> 'open' or e.debited_to < c.min_balance or e.credited_to > c.max_balance)
$$;
