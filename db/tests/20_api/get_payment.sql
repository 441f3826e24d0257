begin;
select plan(7);
select tests.open_accounts();
create temporary table posted as
select ledger.post_payment(
  'k', 'alice', 'bob', 1, 'USD', 'tea', '{"cups": 2}', '2026-01-01Z'
) as result;
create temporary table other as select ledger_id from ledger.create_ledger('other');

select tests.remember();
select is(
  ledger.get_payment((result).payment_id)::text, (result).body::text,
  'A payment is the document that posting it answered, byte for byte'
)
from posted;
select tests.raises(
  format('select ledger.get_payment(%s)', arguments), detail, arguments
)
from (
  select format('%L, %s', (result).payment_id, ledger_id),
    format('{"code": "unknown_payment", "payment_id": "%s"}', (result).payment_id)
  from posted, other
  union all
  values
    ($$'0197f5a0-0000-7000-8000-000000000000'$$,
      '{"code": "unknown_payment", "payment_id": "0197f5a0-0000-7000-8000-000000000000"}'),
    ($$'ffffffff-ffff-ffff-ffff-ffffffffffff'$$,
      '{"code": "unknown_payment", "payment_id": "ffffffff-ffff-ffff-ffff-ffffffffffff"}'),
    ('null', '{"code": "unknown_payment", "payment_id": null}'),
    ($$'0197f5a0-0000-7000-8000-000000000000', 77$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();

select * from finish();
rollback;
