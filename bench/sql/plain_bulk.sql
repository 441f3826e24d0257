-- The yardstick of batches: the rows of many payments, written by one statement from arrays of keys and
-- accounts. It is given the accounts' ids where ledger.post_payments gets their codes, and it locks,
-- checks and answers nothing. Right for one connection at a time only.
with payment as (
  select uuidv7() as payment_id, key, source, target, clock_timestamp() as posted_at, item
  from unnest($1::text[], $2::int[], $3::int[]) with ordinality u(key, source, target, item)
),
new_key as (
  insert into plain.idempotency_keys
    (ledger_id, key, fingerprint, payment_id, render_version, created_at)
  select 1, key, sha256(convert_to(key, 'UTF8')), payment_id, 1, posted_at
  from payment
),
new_payment as (
  insert into plain.payments (ledger_id, payment_id, kind, metadata, posted_at, feed_epoch)
  select 1, payment_id, 'payment', '{}', posted_at, 1
  from payment
),
entry as (
  select
    p.payment_id, a.account_id, v.amount, a.held,
    a.version + row_number() over of_account as version,
    a.balance + sum(v.amount) over of_account as balance
  from payment p
  cross join lateral (values (p.source, -100), (p.target, 100)) v(account, amount)
  join plain.accounts a on a.ledger_id = 1 and a.account_id = v.account + 1
  window of_account as (partition by a.account_id order by p.item)
),
moved as (
  update plain.accounts a
  set
    balance = l.balance,
    version = l.version
  from (
    select distinct on (account_id) account_id, version, balance
    from entry
    order by account_id, version desc
  ) l
  where a.ledger_id = 1 and a.account_id = l.account_id
)
insert into plain.ledger_entries
  (ledger_id, account_id, version, payment_id, posting_no, amount, held, balance_after, held_after)
select 1, account_id, version, payment_id, 1, amount, 0, balance, held
from entry
