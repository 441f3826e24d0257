\set from random(0, :accounts - 1)
\set step random(1, :accounts - 1)
\set to (:from + :step) % :accounts
\set key random(1, 9000000000000000)
with payment as (
  select uuidv7() as payment_id, clock_timestamp() as posted_at
),
new_key as (
  insert into plain.idempotency_keys
    (ledger_id, key, fingerprint, payment_id, render_version, created_at)
  select 1, 'bench-' || (:key)::bigint, sha256(convert_to((:key)::text, 'UTF8')), payment_id, 1, posted_at
  from payment
),
new_payment as (
  insert into plain.payments (ledger_id, payment_id, kind, metadata, posted_at, feed_epoch)
  select 1, payment_id, 'payment', '{}', posted_at, 1
  from payment
),
moved as (
  update plain.accounts
  set
    balance = balance + case code when 'bench:' || (:from)::int then -100 else 100 end,
    version = version + 1
  where ledger_id = 1 and code in ('bench:' || (:from)::int, 'bench:' || (:to)::int)
  returning account_id, version, balance, held, code
)
insert into plain.ledger_entries
  (ledger_id, account_id, version, payment_id, posting_no, amount, held, balance_after, held_after)
select
  1, m.account_id, m.version, p.payment_id, 1,
  case m.code when 'bench:' || (:from)::int then -100 else 100 end, 0, m.balance, m.held
from moved m, payment p;
