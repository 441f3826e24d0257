-- What the state of the accounts refuses: stored under the key, and answered the same ever after.
begin;
select plan(40);
select tests.open_accounts();

-- Below the minimum

select tests.refuses(
  ledger.post_payment('too-much', 'alice', 'bob', 501, 'USD'), 'rejected',
  '{"code": "insufficient_funds", "amount": "501", "account": "alice", "currency": "USD", '
  '"available": "500", "posting_no": 1, "min_balance": "0"}',
  'A debit below the minimum is rejected'
);
select is(
  tests.balances(), 'alice 500 v1, eva 300 v1, world -500 v1, world-eur -300 v1',
  'It moves nothing'
);
select is(
  row(payment_id, outcome - 'code', outcome ->> 'code', render_version)::text,
  '(,"{""amount"": ""501"", ""account"": ""alice"", ""currency"": ""USD"", ""available"": ""500"", '
  '""posting_no"": 1, ""min_balance"": ""0""}",insufficient_funds,1)',
  'It is stored under its key'
)
from ledger.idempotency_keys
where key = 'too-much';
select is(
  tests.effect(ledger.post_payment('more', 'world', 'alice', 100, 'USD')),
  '1 world -100 USD -500>-600 v2, 1 alice 100 USD 500>600 v2', 'Now there is enough'
);
select tests.remember();
select tests.refuses(
  ledger.post_payment('too-much', 'alice', 'bob', 501, 'USD'), 'rejected',
  '{"code": "insufficient_funds", "amount": "501", "account": "alice", "currency": "USD", '
  '"available": "500", "posting_no": 1, "min_balance": "0"}',
  'A retry is answered the same all the same', true
);
select tests.refuses(
  ledger.post_payment('too-much', 'alice', 'bob', 1, 'USD'), 'conflict', '{"code": "key_reused"}',
  'The key of a rejected payment is used'
);
select tests.unchanged('A replayed rejection writes nothing');
select is(
  tests.effect(ledger.post_payment('all-of-it', 'alice', 'bob', 600, 'USD')),
  '1 alice -600 USD 600>0 v3, 1 bob 600 USD 0>600 v1', 'The last cent may go'
);
select tests.books();

-- Limits of all kinds

select lives_ok($$select ledger.set_account_limits('carol', -50, 100)$$, 'carol: -50 to 100');
select tests.refuses(
  ledger.post_payment('below', 'carol', 'bob', 51, 'USD'), 'rejected',
  '{"code": "insufficient_funds", "amount": "51", "account": "carol", "currency": "USD", '
  '"available": "0", "posting_no": 1, "min_balance": "-50"}',
  'A minimum may be negative'
);
select is(
  tests.effect(ledger.post_payment('at-minimum', 'carol', 'bob', 50, 'USD')),
  '1 carol -50 USD 0>-50 v1, 1 bob 50 USD 600>650 v2', 'The minimum itself can be reached'
);
select tests.refuses(
  ledger.post_payment('above', 'bob', 'carol', 151, 'USD'), 'rejected',
  '{"code": "balance_limit_exceeded", "amount": "151", "account": "carol", "balance": "-50", '
  '"currency": "USD", "posting_no": 1, "max_balance": "100"}',
  'A credit above the maximum is rejected'
);
select is(
  tests.effect(ledger.post_payment('at-maximum', 'bob', 'carol', 150, 'USD')),
  '1 bob -150 USD 650>500 v3, 1 carol 150 USD -50>100 v2', 'The maximum itself can be reached'
);

select lives_ok($$select ledger.set_account_limits('carol', 150, 200)$$, 'carol: 150 to 200');
select tests.refuses(
  ledger.post_payment('still-below', 'carol', 'bob', 1, 'USD'), 'rejected',
  '{"code": "insufficient_funds", "amount": "1", "account": "carol", "currency": "USD", '
  '"available": "100", "posting_no": 1, "min_balance": "150"}',
  'An account below its minimum gives nothing'
);
select is(
  tests.effect(ledger.post_payment('towards-minimum', 'bob', 'carol', 1, 'USD')),
  '1 bob -1 USD 500>499 v4, 1 carol 1 USD 100>101 v3',
  'An account below its minimum may receive, even if it stays below'
);
select lives_ok($$select ledger.set_account_limits('carol', 0, 50)$$, 'carol: 0 to 50');
select is(
  tests.effect(ledger.post_payment('towards-maximum', 'carol', 'bob', 1, 'USD')),
  '1 carol -1 USD 101>100 v4, 1 bob 1 USD 499>500 v5',
  'An account above its maximum may give, even if it stays above'
);
select tests.books();

-- Status

select lives_ok($$select ledger.set_account_status('carol', 'frozen')$$, 'carol is frozen');
select tests.refuses(
  ledger.post_payment('from-frozen', 'carol', 'bob', 1, 'USD'), 'rejected',
  '{"code": "account_frozen", "account": "carol", "posting_no": 1}',
  'A frozen account gives nothing'
);
select tests.refuses(
  ledger.post_payment('to-frozen', 'bob', 'carol', 1, 'USD'), 'rejected',
  '{"code": "account_frozen", "account": "carol", "posting_no": 1}',
  'A frozen account takes nothing'
);
select lives_ok($$select ledger.set_account_status('carol', 'open')$$, 'carol is open again');
select lives_ok($$select ledger.set_account_limits('carol', 0, null)$$, 'carol: 0 or more');
select tests.refuses(
  ledger.post_payment('to-frozen', 'bob', 'carol', 1, 'USD'), 'rejected',
  '{"code": "account_frozen", "account": "carol", "posting_no": 1}',
  'What was refused while it was frozen stays refused', true
);
select is(
  tests.effect(ledger.post_payment('empty-carol', 'carol', 'bob', 100, 'USD')),
  '1 carol -100 USD 100>0 v5, 1 bob 100 USD 500>600 v6', 'An open account gives'
);
select lives_ok($$select ledger.set_account_status('carol', 'closed')$$, 'carol is closed');
select tests.refuses(
  ledger.post_payment('to-closed', 'bob', 'carol', 1, 'USD'), 'rejected',
  '{"code": "account_closed", "account": "carol", "posting_no": 1}',
  'A closed account takes nothing'
);
select tests.refuses(
  ledger.post_payment('from-closed', 'carol', 'bob', 1, 'USD'), 'rejected',
  '{"code": "account_closed", "account": "carol", "posting_no": 1}',
  'That an account is closed goes before that it is empty'
);
select lives_ok($$select ledger.set_account_status('bob', 'frozen')$$, 'bob is frozen');
select tests.refuses(
  ledger.post_payment('frozen-and-closed', 'bob', 'carol', 1, 'USD'), 'rejected',
  '{"code": "account_closed", "account": "carol", "posting_no": 1}',
  'That one account is closed goes before that the other is frozen'
);
select tests.refuses(
  ledger.post_payment('empty-and-closed', 'alice', 'carol', 1, 'USD'), 'rejected',
  '{"code": "account_closed", "account": "carol", "posting_no": 1}',
  'That one account is closed goes before that the other is empty'
);
select tests.books();

-- 38 digits

select is(
  tests.effect(ledger.post_payment('largest', 'world', 'alice', 1e38 - 1 - 600, 'USD')),
  '1 world -99999999999999999999999999999999999399 USD '
  '-600>-99999999999999999999999999999999999999 v3, '
  '1 alice 99999999999999999999999999999999999399 USD 0>99999999999999999999999999999999999399 v4',
  'A balance can have 38 digits'
);
select lives_ok($$select ledger.create_account('shop', 'USD', 'equity', null)$$, 'shop is open');
select tests.refuses(
  ledger.post_payment('beyond-least', 'world', 'shop', 1, 'USD'), 'rejected',
  '{"code": "balance_out_of_range", "amount": "-1", "account": "world", "balance": '
  '"-99999999999999999999999999999999999999", "currency": "USD", "posting_no": 1}',
  'No balance goes below -10^38 + 1, though the account has no minimum'
);
select tests.refuses(
  ledger.post_payment('beyond-greatest', 'shop', 'alice', 601, 'USD'), 'rejected',
  '{"code": "balance_out_of_range", "amount": "601", "account": "alice", "balance": '
  '"99999999999999999999999999999999999399", "currency": "USD", "posting_no": 1}',
  'No balance goes above 10^38 - 1, though the account has no maximum'
);
select is(
  tests.effect(ledger.post_payment('greatest', 'shop', 'alice', 600, 'USD')),
  '1 shop -600 USD 0>-600 v1, '
  '1 alice 600 USD 99999999999999999999999999999999999399>99999999999999999999999999999999999999 v5',
  '10^38 - 1 itself can be reached'
);
select tests.books();

select * from finish();
rollback;
