begin;
select plan(22);

-- What changes, given as (posting_no, code, currency, amount, held), make of two accounts:
-- a: balance 100, held 30, version 7, min 0, no max; b: balance 0, no min, max 50; c: EUR;
-- e: below its minimum; f: frozen.
create function pg_temp.decide(p_changes ledger_private.change[])
returns ledger_private.decision
language sql
as $$
  select ledger_private.apply_changes(
    1, p_changes,
    array[
      (11, 'a', 'USD', 'open', 100, 30, 7, 0, null), (12, 'b', 'USD', 'open', 0, 0, 0, null, 50),
      (13, 'c', 'EUR', 'open', 5, 0, 1, 0, null), (14, 'e', 'USD', 'open', -5, 0, 1, 0, null),
      (15, 'f', 'USD', 'frozen', 5, 0, 1, 0, null)
    ]::ledger_private.locked_account[]
  )
$$;
select lives_ok(
  $$select ledger.create_account(code, currency)
    from (values ('a', 'USD'), ('b', 'USD'), ('c', 'EUR')) accounts (code, currency)$$,
  'The accounts exist'
);

select tests.remember();
select is(
  d::text,
  row(
    array[
      (11, 'a', 'USD', 'open', 60, 30, 8, 0, null), (12, 'b', 'USD', 'open', 40, 0, 1, null, 50),
      (13, 'c', 'EUR', 'open', 5, 0, 1, 0, null), (14, 'e', 'USD', 'open', -5, 0, 1, 0, null),
      (15, 'f', 'USD', 'frozen', 5, 0, 1, 0, null)
    ]::ledger_private.locked_account[],
    array[
      (1, 11, 'a', 'USD', -40, 0, 8, 60, 30), (1, 12, 'b', 'USD', 40, 0, 1, 40, 0)
    ]::ledger_private.entry[],
    '{"posting_no":1,"account":"a","currency":"USD","amount":"-40","balance_before":"100",'
    '"balance_after":"60","version":8},{"posting_no":1,"account":"b","currency":"USD",'
    '"amount":"40","balance_before":"0","balance_after":"40","version":1}',
    null
  )::text,
  'Entries, their rendering, and the accounts afterwards'
)
from pg_temp.decide(
  array[(1, 'a', 'USD', -40, 0), (1, 'b', 'USD', 40, 0)]::ledger_private.change[]
) d;
select is(
  (
    select string_agg(format('%s %s %s/%s', code, version, balance_after, held_after), ', ')
    from unnest(d.entries)
  ),
  'a 8 90/30, b 1 10/0, b 2 0/0, a 9 100/30', 'Each change goes on from the one before'
)
from pg_temp.decide(
  array[
    (1, 'a', 'USD', -10, 0), (1, 'b', 'USD', 10, 0), (2, 'b', 'USD', -10, 0), (2, 'a', 'USD', 10, 0)
  ]::ledger_private.change[]
) d;
select is((pg_temp.decide(changes)).problem::text, problem, description)
from (
  values
    (array[(1, 'a', 'USD', -70, 0)]::ledger_private.change[], null,
      'All that is available may go'),
    (array[(1, 'a', 'USD', -71, 0)]::ledger_private.change[],
      '{"code": "insufficient_funds", "amount": "71", "account": "a", "currency": "USD", '
      '"available": "70", "posting_no": 1, "min_balance": "0"}', 'What is held may not go'),
    (array[(1, 'a', 'USD', 0, 70)]::ledger_private.change[], null, 'All may be held'),
    (array[(1, 'a', 'USD', 0, 71)]::ledger_private.change[],
      '{"code": "insufficient_funds", "amount": "71", "account": "a", "currency": "USD", '
      '"available": "70", "posting_no": 1, "min_balance": "0"}', 'No more than there is'),
    (array[(1, 'a', 'USD', -100, -30)]::ledger_private.change[], null,
      'What was held may go when it is released'),
    (array[(1, 'a', 'USD', -101, -30)]::ledger_private.change[],
      '{"code": "insufficient_funds", "amount": "71", "account": "a", "currency": "USD", '
      '"available": "70", "posting_no": 1, "min_balance": "0"}', 'but no more'),
    (array[(1, 'b', 'USD', -1000, 0)]::ledger_private.change[], null, 'Without a minimum all goes'),
    (array[(1, 'e', 'USD', 1, 0)]::ledger_private.change[], null,
      'Who is below the minimum may be paid'),
    (array[(1, 'b', 'USD', 50, 0)]::ledger_private.change[], null, 'Up to the maximum'),
    (array[(1, 'b', 'USD', 51, 0)]::ledger_private.change[],
      '{"code": "balance_limit_exceeded", "amount": "51", "account": "b", "balance": "0", '
      '"currency": "USD", "posting_no": 1, "max_balance": "50"}', 'Not above it'),
    (array[(1, 'b', 'USD', 30, 0), (2, 'b', 'USD', 30, 0)]::ledger_private.change[],
      '{"code": "balance_limit_exceeded", "amount": "30", "account": "b", "balance": "30", '
      '"currency": "USD", "posting_no": 2, "max_balance": "50"}', 'nor by two steps'),
    (array[(1, 'b', 'USD', 60, 0), (2, 'b', 'USD', -30, 0)]::ledger_private.change[],
      '{"code": "balance_limit_exceeded", "amount": "60", "account": "b", "balance": "0", '
      '"currency": "USD", "posting_no": 1, "max_balance": "50"}',
      'nor for a moment'),
    (array[(1, 'a', 'USD', 1e38 - 100, 0)]::ledger_private.change[],
      '{"code": "balance_out_of_range", "amount": "99999999999999999999999999999999999900", '
      '"account": "a", "balance": "100", "currency": "USD", "posting_no": 1}', '10^38 is too much'),
    (array[(1, 'a', 'USD', 1e38 - 101, 0)]::ledger_private.change[], null, '10^38 - 1 is not'),
    (array[(1, 'c', 'USD', -1, 0)]::ledger_private.change[],
      '{"code": "currency_mismatch", "account": "c", "currency": "USD", "posting_no": 1, '
      '"account_currency": "EUR"}', 'Another currency'),
    (array[(1, 'f', 'USD', 1, 0)]::ledger_private.change[],
      '{"code": "account_frozen", "account": "f", "posting_no": 1}', 'A frozen account'),
    (array[(1, 'd', 'USD', 1, 0)]::ledger_private.change[],
      '{"code": "unknown_account", "account": "d", "posting_no": 1}', 'An account not locked'),
    (array[(1, 'b', 'USD', 51, 0), (2, 'd', 'USD', 1, 0)]::ledger_private.change[],
      '{"code": "unknown_account", "account": "d", "posting_no": 2}',
      'What comes earlier in the catalogue is said first')
) as cases (changes, problem, description);
select tests.unchanged();

select * from finish();
rollback;
