-- Loaded into every test database, for pgTAP and pytest alike.
create schema tests;

-- Everything wrong with the books, told apart from the ledger's own functions on purpose.
create view tests.breaches as
with entries as (
  select
    e.*,
    row_number() over account as expected_version,
    sum(e.amount) over account as expected_balance,
    sum(e.held) over account as expected_held
  from ledger.ledger_entries e
  window account as (partition by e.ledger_id, e.account_id order by e.version)
)
select
  e.ledger_id,
  'entries of a payment do not sum to zero' as breach,
  e.payment_id::text as subject
from ledger.ledger_entries e
join ledger.accounts a using (ledger_id, account_id)
group by e.ledger_id, e.payment_id, a.currency
having sum(e.amount) <> 0
union all
select a.ledger_id, 'an account is not the sum of its entries', a.code
from ledger.accounts a
left join ledger.ledger_entries e using (ledger_id, account_id)
group by a.ledger_id, a.account_id
having a.balance <> coalesce(sum(e.amount), 0)
  or a.held <> coalesce(sum(e.held), 0)
  or a.version <> count(e.version)
union all
select e.ledger_id, 'versions do not run 1 to n', e.account_id || ' version ' || e.version
from entries e
where e.version <> e.expected_version
union all
select e.ledger_id, 'an entry''s balance is not the sum so far', e.account_id || ' version ' || e.version
from entries e
where e.balance_after <> e.expected_balance
  or e.held_after <> e.expected_held
union all
select e.ledger_id, 'a debit went below the minimum then in force', e.account_id || ' version ' || e.version
from entries e
cross join lateral (
  select c.min_balance
  from ledger.account_changes c
  where c.ledger_id = e.ledger_id
    and c.account_id = e.account_id
    and c.from_version <= e.version
  order by c.change_id desc
  limit 1
) limits
where e.amount < e.held
  and e.balance_after - e.held_after < limits.min_balance
union all
select e.ledger_id, 'an entry without payment or account', e.payment_id::text
from ledger.ledger_entries e
left join ledger.payments p using (ledger_id, payment_id)
left join ledger.accounts a using (ledger_id, account_id)
where p.payment_id is null
  or a.account_id is null
union all
select p.ledger_id, 'a payment without entries', p.payment_id::text
from ledger.payments p
where not exists (select from ledger.ledger_entries e where e.payment_id = p.payment_id)
union all
select k.ledger_id, 'a key without its payment', k.key
from ledger.idempotency_keys k
left join ledger.payments p using (ledger_id, payment_id)
where k.payment_id is not null
  and p.payment_id is null
union all
select p.ledger_id, 'a payment without a key, or with several', p.payment_id::text
from ledger.payments p
join ledger.ledgers l using (ledger_id)
where l.idempotency_retention is null
  and (
    select count(*) <> 1
    from ledger.idempotency_keys k
    where k.ledger_id = p.ledger_id
      and k.payment_id = p.payment_id
  );
