begin;
select plan(10);
select tests.open_accounts();
create temporary table outcomes as
select
  ledger.post_payment('p', 'alice', 'bob', 1, 'USD', 'tea', '{"cups": 2}', '2026-01-01Z') as posted,
  ledger.post_payment('r', 'alice', 'bob', 999, 'USD') as rejected,
  ledger.post_payment('i', 'alice', 'nobody', 1, 'USD') as invalid,
  ledger.post_payment('p', 'alice', 'bob', 2, 'USD') as conflict,
  (select ledger_id from ledger.create_ledger('other')) as other;
select is((conflict).outcome, 'conflict', 'The key p was tried again with another amount')
from outcomes;

select tests.remember();
select is(
  row(f.*)::text, row('posted', null, true, (posted).payment_id, (posted).body)::text,
  'A posted payment''s key answers as a retry would be answered'
)
from outcomes, ledger.find_payment_by_key('p') f;
select is(
  row(f.*)::text, row('rejected', 'insufficient_funds', true, null::uuid, (rejected).body)::text,
  'A rejected payment''s key too'
)
from outcomes, ledger.find_payment_by_key('r') f;
select tests.raises(
  format('select ledger.find_payment_by_key(%s)', arguments), detail, arguments
)
from (
  values
    ($$'i'$$, '{"code": "unknown_idempotency_key"}'),
    ($$'never'$$, '{"code": "unknown_idempotency_key"}'),
    ($$'P'$$, '{"code": "unknown_idempotency_key"}'),
    ('null', '{"code": "unknown_idempotency_key"}'),
    ($$'p', (ledger.find_ledger('other')).ledger_id$$, '{"code": "unknown_idempotency_key"}'),
    ($$'p', 77$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();

select * from finish();
rollback;
