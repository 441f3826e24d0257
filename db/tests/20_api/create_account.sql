begin;
select plan(36);

select results_eq(
  $$
    select code, currency, type, status, balance, held, available, version, min_balance,
      max_balance, metadata, created_at > clock_timestamp() - interval '10 s', created
    from ledger.create_account('shop:till-1', 'USD')
  $$,
  $$
    values ('shop:till-1', 'USD', 'liability', 'open', 0::numeric, 0::numeric, 0::numeric,
      0::bigint, 0::numeric, null::numeric, '{}'::jsonb, true, true)
  $$,
  'A new account is open and empty; by default a liability that never goes below zero'
);
select results_eq(
  $$
    select code, currency, type, min_balance, max_balance, metadata, created
    from ledger.create_account('full', 'EUR', 'asset', -100.00, 1e38 - 1, '{"b": 1, "a": 2}')
  $$,
  $$
    values ('full', 'EUR', 'asset', -100::numeric,
      99999999999999999999999999999999999999::numeric, '{"a": 2, "b": 1}'::jsonb, true)
  $$,
  'All that can be chosen'
);
select is(
  format(
    '%s %s %s %s %s %s', c.from_version, c.status, c.min_balance, c.max_balance, c.metadata,
    c.changed_by
  ),
  '1 open -100 99999999999999999999999999999999999999 {"a": 2, "b": 1} ' || session_user,
  'Its creation is the first row of its history'
)
from ledger.account_changes c
join ledger.accounts a using (ledger_id, account_id)
where a.code = 'full';

-- Idempotent by code

select tests.remember();
select is(created, false, 'The same content again returns the account that is there')
from ledger.create_account('full', 'EUR', 'asset', -100, 1e38 - 1, '{"a": 2, "b": 1}');
select tests.raises(
  format('select * from ledger.create_account(%s)', arguments),
  '{"code": "account_exists", "account": "full"}', 'Other content: ' || what
)
from (
  values
    ('currency', $$'full', 'USD', 'asset', -100, 1e38 - 1, '{"a": 2, "b": 1}'$$),
    ('type', $$'full', 'EUR', 'equity', -100, 1e38 - 1, '{"a": 2, "b": 1}'$$),
    ('minimum', $$'full', 'EUR', 'asset', 0, 1e38 - 1, '{"a": 2, "b": 1}'$$),
    ('minimum, none', $$'full', 'EUR', 'asset', null, 1e38 - 1, '{"a": 2, "b": 1}'$$),
    ('maximum', $$'full', 'EUR', 'asset', -100, 5, '{"a": 2, "b": 1}'$$),
    ('maximum, none', $$'full', 'EUR', 'asset', -100, null, '{"a": 2, "b": 1}'$$),
    ('metadata', $$'full', 'EUR', 'asset', -100, 1e38 - 1, '{"a": 2}'$$)
) as other (what, arguments);
select tests.unchanged();

select lives_ok(
  $$
    select
      ledger.create_account('world', 'EUR', 'equity', null),
      ledger.require_posted(ledger.post_payment('k', 'world', 'full', 7, 'EUR')),
      ledger.set_account_limits('full', 0, 50), ledger.set_account_status('full', 'frozen')
  $$,
  'The account is used, its limits and status are changed'
);
select is(
  row(balance, version, status, min_balance, created)::text, '(7,1,frozen,0,f)',
  'Creating it again with its first content returns it as it is now'
)
from ledger.create_account('full', 'EUR', 'asset', -100, 1e38 - 1, '{"a": 2, "b": 1}');
select is(a.created, true, 'In another ledger the code is free')
from
  ledger.create_ledger('other') l,
  ledger.create_account('full', 'USD', p_ledger_id => l.ledger_id) a;

-- What an account may not be

select tests.remember();
select tests.raises(
  format('select * from ledger.create_account(%s)', arguments), detail, arguments
)
from (
  values
    ($$null, 'USD'$$, '{"code": "account_code_malformed", "account": null}'),
    ($$'', 'USD'$$, '{"code": "account_code_malformed", "account": ""}'),
    ($$'a b', 'USD'$$, '{"code": "account_code_malformed", "account": "a b"}'),
    ($$':a', 'USD'$$, '{"code": "account_code_malformed", "account": ":a"}'),
    ($$'a::b', 'USD'$$, '{"code": "account_code_malformed", "account": "a::b"}'),
    ($$'a', null$$, '{"code": "currency_malformed", "currency": null}'),
    ($$'a', 'usd'$$, '{"code": "currency_malformed", "currency": "usd"}'),
    ($$'a', 'XYZ'$$, '{"code": "unknown_currency", "currency": "XYZ"}'),
    ($$'a', 'USD', 'cash'$$, '{"code": "account_type_unknown", "account_type": "cash"}'),
    ($$'a', 'USD', null$$, '{"code": "account_type_unknown", "account_type": null}'),
    ($$'a', 'USD', p_min_balance => 0.5$$,
      '{"code": "limits_invalid", "max_balance": null, "min_balance": "0.5"}'),
    ($$'a', 'USD', p_min_balance => 'NaN'$$,
      '{"code": "limits_invalid", "max_balance": null, "min_balance": "NaN"}'),
    ($$'a', 'USD', p_max_balance => 'Infinity'$$,
      '{"code": "limits_invalid", "max_balance": "Infinity", "min_balance": "0"}'),
    ($$'a', 'USD', p_max_balance => 1e38$$, '{"code": "limits_invalid", "max_balance": '
      '"100000000000000000000000000000000000000", "min_balance": "0"}'),
    ($$'a', 'USD', p_min_balance => 5, p_max_balance => 4$$,
      '{"code": "limits_invalid", "max_balance": "4", "min_balance": "5"}'),
    ($$'a', 'USD', p_metadata => null$$, '{"code": "metadata_not_object"}'),
    ($$'a', 'USD', p_metadata => '[]'$$, '{"code": "metadata_not_object"}'),
    ($$'a', 'USD', p_metadata => jsonb_build_object('a', repeat('x', 16376))$$,
      '{"code": "metadata_too_large", "bytes": 16385, "limit": 16384}'),
    ($$'a', 'USD', p_ledger_id => 77$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();
select tests.books();

select * from finish();
rollback;
