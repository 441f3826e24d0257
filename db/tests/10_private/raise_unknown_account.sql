begin;
select plan(5);

select tests.raises(
  format('select ledger_private.raise_unknown_account(%s)', arguments), detail, left(arguments, 40)
)
from (
  values
    ($$1, 'nobody'$$, '{"code": "unknown_account", "account": "nobody"}'),
    ($$1, 'no body'$$, '{"code": "account_code_malformed", "account": "no body"}'),
    ('1, null', '{"code": "account_code_malformed", "account": null}'),
    ($$1, repeat('x', 500)$$,
      format('{"code": "account_code_malformed", "account": "%s"}', repeat('x', 200))),
    ($$77, 'no body'$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);

select * from finish();
rollback;
