begin;
select plan(9);
select tests.open_accounts();
select lives_ok(
  $$
    select
      ledger.create_account('limited', 'USD', 'asset', -5, 50, '{"a": 1}'),
      ledger.require_posted(ledger.post_payment('k', 'alice', 'limited', 20, 'USD')),
      ledger.set_account_status('limited', 'frozen')
  $$,
  'An account with a history'
);

select tests.remember();
select is(
  (to_jsonb(a) - 'created_at')::text,
  '{"code": "limited", "held": 0, "type": "asset", "status": "frozen", "balance": 20, '
  '"version": 1, "currency": "USD", "metadata": {"a": 1}, "available": 20, "max_balance": 50, '
  '"min_balance": -5}',
  'It is shown as it is now'
)
from ledger.get_account('limited') a;
select is(
  (ledger.get_account('limited')).created_at,
  (select created_at from ledger.accounts where code = 'limited'), 'and since when'
);
select tests.raises(
  format('select ledger.get_account(%s)', arguments), detail, arguments
)
from (
  values
    ($$'nobody'$$, '{"code": "unknown_account", "account": "nobody"}'),
    ($$'Alice'$$, '{"code": "unknown_account", "account": "Alice"}'),
    ($$'a b'$$, '{"code": "account_code_malformed", "account": "a b"}'),
    ('null', '{"code": "account_code_malformed", "account": null}'),
    ($$'alice', 77$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();

select * from finish();
rollback;
