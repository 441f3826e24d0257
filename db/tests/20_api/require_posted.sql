begin;
select plan(15 + (select count(*)::int from ledger.error_codes where outcome <> 'raised'));
select tests.open_accounts();

select is(
  tests.effect(ledger.require_posted(ledger.post_payment('k', 'alice', 'bob', 1, 'USD'))),
  '1 alice -1 USD 500>499 v2, 1 bob 1 USD 0>1 v1', 'A posted result passes'
);
select is(
  (ledger.require_posted(ledger.post_payment('k', 'alice', 'bob', 1, 'USD'))).replayed, true,
  'A replayed one too'
);

select tests.remember();
select throws_ok(
  $$select ledger.require_posted(ledger.post_payment('r', 'alice', 'bob', 999, 'USD'))$$,
  'LG503', null, 'A rejected one raises its SQLSTATE'
);
select tests.unchanged('What is raised is rolled back with the caller''s work: the key is free');
select tests.raises(sql, detail, 'Raised: ' || (detail::jsonb ->> 'code'))
from (
  values
    ($$select ledger.require_posted(ledger.post_payment('r', 'alice', 'bob', 999, 'USD'))$$,
      '{"code": "insufficient_funds", "amount": "999", "account": "alice", "currency": "USD", '
      '"available": "499", "posting_no": 1, "min_balance": "0"}'),
    ($$select ledger.require_posted(ledger.post_payment('k', 'alice', 'bob', 2, 'USD'))$$,
      '{"code": "key_reused"}'),
    ($$select ledger.require_posted(ledger.post_payment('r', 'alice', 'nobody', 2, 'USD'))$$,
      '{"code": "unknown_account", "account": "nobody", "posting_no": 1}')
) as refusals (sql, detail);
select throws_ok(
  format(
    'select ledger.require_posted((%L, %L, false, null, %L)::ledger.payment_result)',
    outcome, code, json_build_object('code', code)
  ),
  sqlstate, null, format('%s is raised as %s', code, sqlstate)
)
from ledger.error_codes
where outcome <> 'raised';
select tests.raises(
  format('select ledger.require_posted(%s)', result),
  '{"code": "argument_invalid", '
  '"reason": "no result of a posting function", "argument": "p_result"}',
  'No posting function answered ' || result
)
from unnest(array[
  'null',
  '(null, null, null, null, null)',
  $$('rejected', 'unheard_of', false, null, '{"code": "unheard_of"}')$$,
  $$('rejected', 'account_frozen', false, null, '[]')$$,
  $$('rejected', 'account_frozen', false, null, '5')$$
]) result;
select is(
  (select count(distinct sqlstate) from ledger.error_codes),
  (select count(*) from ledger.error_codes),
  'No two codes share an SQLSTATE'
);
select tests.unchanged();
select tests.books();

select * from finish();
rollback;
