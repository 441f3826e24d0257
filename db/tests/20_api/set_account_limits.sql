begin;
select plan(18);
select tests.open_accounts();

select is(
  row(a.min_balance, a.max_balance, a.balance, a.version)::text, '(-100,1000,500,1)',
  'Both limits are set, and what the account is now comes back'
)
from ledger.set_account_limits('alice', -100, 1000.00) a;
select is(
  (
    select array_agg(
      format('from %s: %s to %s', from_version, c.min_balance, c.max_balance) order by change_id
    )
    from ledger.account_changes c
    join ledger.accounts a using (ledger_id, account_id)
    where code = 'alice'
  ),
  array['from 1: 0 to ', 'from 2: -100 to 1000'],
  'The change is recorded, with the first version it applies to'
);
select is(
  (ledger.post_payment('k', 'alice', 'bob', 600, 'USD')).outcome, 'posted', 'It applies at once'
);
select tests.books();

select tests.remember();
select is(
  row(a.min_balance, a.max_balance)::text, '(-100,1000)', 'Setting what is set is no change'
)
from ledger.set_account_limits('alice', -100, 1000) a;
select tests.raises(
  format('select ledger.set_account_limits(%s)', arguments), detail, arguments
)
from (
  values
    ($$'alice', 2, 1$$, '{"code": "limits_invalid", "max_balance": "1", "min_balance": "2"}'),
    ($$'alice', 0.1, null$$,
      '{"code": "limits_invalid", "max_balance": null, "min_balance": "0.1"}'),
    ($$'alice', null, 'NaN'$$,
      '{"code": "limits_invalid", "max_balance": "NaN", "min_balance": null}'),
    ($$'alice', '-Infinity', null$$,
      '{"code": "limits_invalid", "max_balance": null, "min_balance": "-Infinity"}'),
    ($$'alice', -1e38, null$$, '{"code": "limits_invalid", "max_balance": null, "min_balance": '
      '"-100000000000000000000000000000000000000"}'),
    ($$'nobody', 0, null$$, '{"code": "unknown_account", "account": "nobody"}'),
    ($$'a b', 0, null$$, '{"code": "account_code_malformed", "account": "a b"}'),
    ($$'alice', 0, null, 77$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();

select is(
  row(a.min_balance, a.max_balance, a.balance)::text, '(50,60,-100)',
  'A balance beyond a new limit stays'
)
from ledger.set_account_limits('alice', 50, 60) a;
select is(
  row(a.min_balance, a.max_balance)::text, '(,)', 'Null takes a limit away'
)
from ledger.set_account_limits('alice', null, null) a;
select is(
  (ledger.set_account_limits('alice', 1 - 1e38, 1e38 - 1)).min_balance, 1 - 1e38,
  'The widest limits'
);
select tests.books();

select * from finish();
rollback;
