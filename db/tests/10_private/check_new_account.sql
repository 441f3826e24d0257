begin;
select plan(8);

select lives_ok(
  $$select ledger_private.check_new_account(1, 'a', 'USD', type, 0, null, '{}')
    from unnest(array['asset', 'liability', 'equity', 'income', 'expense']) type$$,
  'Accounts of every type'
);

-- Everything wrong at once, put right one thing at a time.
select tests.raises(
  format('select ledger_private.check_new_account(%s)', arguments), detail, arguments
)
from (
  values
    ($$77, '?', '$', 'x', 1, 0, '[]'$$, '{"code": "unknown_ledger", "ledger_id": 77}'),
    ($$1, '?', '$', 'x', 1, 0, '[]'$$, '{"code": "account_code_malformed", "account": "?"}'),
    ($$1, 'a', '$', 'x', 1, 0, '[]'$$, '{"code": "currency_malformed", "currency": "$"}'),
    ($$1, 'a', 'XYZ', 'x', 1, 0, '[]'$$, '{"code": "unknown_currency", "currency": "XYZ"}'),
    ($$1, 'a', 'USD', 'x', 1, 0, '[]'$$, '{"code": "account_type_unknown", "account_type": "x"}'),
    ($$1, 'a', 'USD', 'asset', 1, 0, '[]'$$,
      '{"code": "limits_invalid", "max_balance": "0", "min_balance": "1"}'),
    ($$1, 'a', 'USD', 'asset', 0, 0, '[]'$$, '{"code": "metadata_not_object"}')
) as refused (arguments, detail);

select * from finish();
rollback;
