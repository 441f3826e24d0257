begin;
select plan(9);

select lives_ok($$select ledger.set_ledger_retention(1, '1 hour')$$, 'An hour is the least');
select is((ledger.find_ledger('main')).idempotency_retention, '1 hour', 'It is set');
select lives_ok($$select ledger.set_ledger_retention(1, null)$$, 'Null is for ever');
select is((ledger.find_ledger('main')).idempotency_retention, null, 'It is for ever');

select tests.remember();
select tests.raises(
  format('select ledger.set_ledger_retention(%s)', arguments), detail, arguments
)
from (
  values
    ($$1, '59 minutes'$$, '{"code": "retention_invalid", "retention": "00:59:00"}'),
    ($$1, '-1 year'$$, '{"code": "retention_invalid", "retention": "-1 years"}'),
    ($$77, '1 day'$$, '{"code": "unknown_ledger", "ledger_id": 77}'),
    ($$null, '1 day'$$, '{"code": "unknown_ledger", "ledger_id": null}')
) as refused (arguments, detail);
select tests.unchanged();

select * from finish();
rollback;
