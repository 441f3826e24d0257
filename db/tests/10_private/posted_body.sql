begin;
select plan(7);
select tests.open_accounts();
create temporary table posted as
select ledger.post_compound_payment(
  'k',
  '[{"from": "alice", "to": "bob", "amount": 5, "currency": "USD"},
    {"from": "bob", "to": "alice", "amount": 2, "currency": "USD"},
    {"from": "eva", "to": "world-eur", "amount": 3, "currency": "EUR"}]',
  E'tea "\\"', '{"a": 1.50}', '2026-01-01Z'
) as result;

select is(
  ledger_private.posted_body(1, (result).payment_id)::text, (result).body::text,
  'What was answered, from the rows that never change'
)
from posted;
select is(ledger_private.posted_body(l, id)::text, null, format('No payment %s in ledger %s', id, l))
from (
  select 1, ledger_private.new_payment_id()
  union all select 2, (result).payment_id from posted
  union all select 1, null
) none (l, id);
select is(
  ledger_private.posted_body(1, (result).payment_id, 2)::text, null,
  'A version of rendering that this release does not know'
)
from posted;
select lives_ok(
  $$
    select
      ledger.set_account_limits('alice', -5, 9999), ledger.set_account_status('bob', 'frozen'),
      ledger.post_payment('k2', 'alice', 'carol', 100, 'USD')
  $$,
  'The accounts go on changing'
);
select is(
  ledger_private.posted_body(1, (result).payment_id)::text, (result).body::text,
  'What was answered stays the same'
)
from posted;

select * from finish();
rollback;
