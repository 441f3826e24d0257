begin;
select plan(44);
select tests.open_accounts();

-- Every outcome in one call, in input order

create temporary table batch as
select *
from ledger.post_payments(
  '[{"idempotency_key": "b1", "from": "alice", "to": "bob", "amount": "100", "currency": "USD"},
    {"idempotency_key": "b2", "from": "bob", "to": "carol", "amount": "101", "currency": "USD"},
    {"idempotency_key": "b3", "from": "bob", "to": "carol", "amount": "100", "currency": "USD",
     "description": "all of it", "metadata": {"a": 1}, "effective_at": "2026-01-02T03:04:05Z"},
    {"idempotency_key": "b4", "from": "bob", "to": "nobody", "amount": "1", "currency": "USD"},
    {"idempotency_key": "b1", "from": "alice", "to": "bob", "amount": "100", "currency": "USD"},
    {"idempotency_key": "b1", "from": "alice", "to": "bob", "amount": "99", "currency": "USD"},
    {"idempotency_key": "b2", "from": "bob", "to": "carol", "amount": "101", "currency": "USD"},
    {"idempotency_key": "b4", "from": "bob", "to": "carol", "amount": "1", "currency": "USD"},
    {"idempotency_key": "b5",
     "postings": [{"from": "carol", "to": "bob", "amount": "1", "currency": "USD"},
                  {"from": "eva", "to": "world-eur", "amount": "1", "currency": "EUR"}]},
    {"idempotency_key": "fund-eva", "from": "world-eur", "to": "eva", "amount": "300",
     "currency": "EUR"},
    "what"]'
);
select results_eq(
  $$
    select item, tests.effect((outcome, code, replayed, payment_id, body)::ledger.payment_result),
      code, replayed
    from batch
  $$,
  $$
    values
      (1, '1 alice -100 USD 500>400 v2, 1 bob 100 USD 0>100 v1', null, false),
      (2, 'rejected {"code": "insufficient_funds", "amount": "101", "account": "bob", '
        '"currency": "USD", "available": "100", "posting_no": 1, "min_balance": "0"}',
        'insufficient_funds', false),
      (3, '1 bob -100 USD 100>0 v2, 1 carol 100 USD 0>100 v1', null, false),
      (4, 'invalid {"code": "unknown_account", "account": "nobody", "posting_no": 1}',
        'unknown_account', false),
      (5, '1 alice -100 USD 500>400 v2, 1 bob 100 USD 0>100 v1', null, true),
      (6, 'conflict {"code": "key_reused"}', 'key_reused', false),
      (7, 'rejected {"code": "insufficient_funds", "amount": "101", "account": "bob", '
        '"currency": "USD", "available": "100", "posting_no": 1, "min_balance": "0"}',
        'insufficient_funds', true),
      (8, 'rejected {"code": "insufficient_funds", "amount": "1", "account": "bob", '
        '"currency": "USD", "available": "0", "posting_no": 1, "min_balance": "0"}',
        'insufficient_funds', false),
      (9, '1 carol -1 USD 100>99 v2, 1 bob 1 USD 0>1 v3, 2 eva -1 EUR 300>299 v2, '
        '2 world-eur 1 EUR -300>-299 v2', null, false),
      (10, '1 world-eur -300 EUR 0>-300 v1, 1 eva 300 EUR 0>300 v1', null, true),
      (11, 'invalid {"code": "payment_malformed", "field": "payment", "reason": "not an object"}',
        'payment_malformed', false)
  $$,
  'Each item has the outcome it would have had alone, one after the other'
);
select is(b5.body::text, b1.body::text, 'A duplicate in the batch has the same bytes')
from batch b1, batch b5
where b1.item = 1 and b5.item = 5;
select is(b5.payment_id, b1.payment_id, 'and is the same payment')
from batch b1, batch b5
where b1.item = 1 and b5.item = 5;
select is(
  row(body ->> 'description', body ->> 'metadata', body ->> 'effective_at')::text,
  '("all of it","{""a"": 1}",2026-01-02T03:04:05.000000Z)',
  'An item carries what a payment carries'
)
from batch where item = 3;
select is(
  tests.balances(), 'alice 400 v2, bob 1 v3, carol 99 v2, eva 299 v2, world -500 v1, '
  'world-eur -299 v2', 'The accounts hold what was posted'
);
select is(
  (
    select string_agg(
      format('%s %s', key, case when payment_id is null then 'rejected' else 'posted' end), ', '
      order by key
    )
    from ledger.idempotency_keys
  ),
  'b1 posted, b2 rejected, b3 posted, b4 rejected, b5 posted, fund-alice posted, fund-eva posted',
  'Posted and rejected outcomes are stored, once each'
);
select tests.books();

-- The whole batch again

select tests.remember();
select is(
  (
    select string_agg(format('%s %s %s', item, outcome, replayed), ', ' order by item)
    from ledger.post_payments(
      '[{"idempotency_key": "b1", "from": "alice", "to": "bob", "amount": 100, "currency": "USD"},
        {"idempotency_key": "b2", "from": "bob", "to": "carol", "amount": 101, "currency": "USD"},
        {"idempotency_key": "b3", "from": "bob", "to": "carol", "amount": 100, "currency": "USD",
         "description": "all of it", "metadata": {"a": 1},
         "effective_at": "2026-01-02T04:04:05+01:00"}]'
    )
  ),
  '1 posted t, 2 rejected t, 3 posted t', 'A batch can be retried'
);
select tests.unchanged('It then writes nothing');

-- Retries among new ones, of accounts that allow all of them

create function pg_temp.say(p_payments jsonb)
returns table (said text, bodies text[])
language sql
as $$
  select
    string_agg(format('%s %s %s', item, coalesce(code, outcome), replayed), ', ' order by item),
    array_agg(body::text order by item)
  from ledger.post_payments(p_payments)
$$;
create temporary table first_time as
select *
from pg_temp.say(
  '[{"idempotency_key": "s1", "from": "world", "to": "bob", "amount": "1", "currency": "USD"},
    {"idempotency_key": "s2", "from": "world", "to": "bob", "amount": "2", "currency": "USD",
     "description": "rent", "metadata": {"a": 1}},
    {"idempotency_key": "s3", "from": "world", "to": "bob", "amount": "3", "currency": "USD"}]'
);
create temporary table second_time as
select *
from pg_temp.say(
  '[{"idempotency_key": "s4", "from": "world", "to": "bob", "amount": "4", "currency": "USD"},
    {"idempotency_key": "s3", "from": "world", "to": "bob", "amount": "3", "currency": "USD"},
    {"idempotency_key": "s2", "from": "world", "to": "bob", "amount": "2", "currency": "USD",
     "description": "rent", "metadata": {"a": 1}},
    {"idempotency_key": "s1", "from": "world", "to": "bob", "amount": "5", "currency": "USD"},
    {"idempotency_key": "s5", "from": "world", "to": "bob", "amount": "5", "currency": "USD"}]'
);
select is(said, '1 posted f, 2 posted f, 3 posted f', 'New ones') from first_time;
select is(
  said, '1 posted f, 2 posted t, 3 posted t, 4 key_reused f, 5 posted f',
  'Retries are replayed, other content is a conflict, what is new is posted'
)
from second_time;
select is(array[s.bodies[3], s.bodies[2]], array[f.bodies[2], f.bodies[3]], 'with the same bytes')
from first_time f, second_time s;
select is(
  (
    select said
    from pg_temp.say(
      '[{"idempotency_key": "s2", "from": "world", "to": "bob", "amount": "2", "currency": "USD",
         "description": "rent"},
        {"idempotency_key": "s1", "from": "world", "to": "bob", "amount": "1", "currency": "USD",
         "metadata": {"a": 1}}]'
    )
  ),
  '1 key_reused f, 2 key_reused f', 'Description and metadata are content'
);
select tests.books();

-- The form of an item

select is(
  (
    select format('%s %s', outcome, body)
    from ledger.post_payments(jsonb_build_array(payment))
  ),
  'invalid ' || body,
  payment::text
)
from (
  values
    ('null'::jsonb, '{"code": "payment_malformed", "field": "payment", "reason": "not an object"}'),
    ('[]', '{"code": "payment_malformed", "field": "payment", "reason": "not an object"}'),
    ('{}', '{"code": "idempotency_key_missing"}'),
    ('{"idempotency_key": "x"}', '{"code": "postings_missing"}'),
    ('{"idempotency_key": "x", "postings": null}', '{"code": "postings_missing"}'),
    ('{"idempotency_key": "x", "postings": []}', '{"code": "postings_missing"}'),
    ('{"idempotency_key": null, "from": "alice", "to": "bob", "amount": 1, "currency": "USD"}',
      '{"code": "idempotency_key_missing"}'),
    ('{"idempotency_key": 7, "from": "alice", "to": "bob", "amount": 1, "currency": "USD"}',
      '{"code": "payment_malformed", "field": "idempotency_key", "reason": "not a string"}'),
    ('{"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD",
       "note": ""}',
      '{"code": "payment_malformed", "field": "note", "reason": "unknown field"}'),
    ('{"idempotency_key": "x", "from": "alice", "postings": []}',
      '{"code": "payment_malformed", "field": "from", "reason": "given beside postings"}'),
    ('{"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD",
       "description": 7}',
      '{"code": "payment_malformed", "field": "description", "reason": "not a string"}'),
    ('{"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD",
       "metadata": null}',
      '{"code": "metadata_not_object"}'),
    ('{"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD",
       "effective_at": 7}',
      '{"code": "payment_malformed", "field": "effective_at", "reason": "not a string"}'),
    ('{"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD",
       "effective_at": "2026-02-30T00:00:00Z"}',
      '{"code": "payment_malformed", "field": "effective_at", '
      '"reason": "not an ISO 8601 time with an offset"}'),
    ('{"idempotency_key": "x", "from": "alice", "amount": 1, "currency": "USD"}',
      '{"code": "account_code_malformed", "account": null, "posting_no": 1}')
) as forms (payment, body);
select is(
  (
    select outcome
    from ledger.post_payments(
      '[{"idempotency_key": "nulls", "from": "alice", "to": "bob", "amount": 1, "currency": "USD",
         "description": null, "effective_at": null}]'
    )
  ),
  'posted', 'A null description and effective_at are none'
);
select is_empty('select * from ledger.post_payments(''[]'')', 'No payments, no outcomes');
select tests.raises(
  format('select * from ledger.post_payments(%L)', payments),
  '{"code": "payment_malformed", "field": "payments", "reason": "not an array"}',
  format('Payments that are no array at all: %s', coalesce(payments, 'null'))
)
from unnest(array[null, 'null', '{}', '"x"', '5']) payments;
select is(
  (
    select string_agg(body::text, ' ')
    from ledger.post_payments(
      '[{"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD"}]',
      77
    )
  ),
  '{"code": "unknown_ledger", "ledger_id": 77}', 'Of a ledger that does not exist each item says so'
);
select is(
  (
    select string_agg(outcome, ' ')
    from ledger.post_payments(
      '[{"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD"}]',
      p_wait => false
    )
  ),
  'posted', 'Without waiting, what is free is posted'
);
select tests.books();

-- Many

select lives_ok(
  $$
    select ledger.create_account(format('many-%s', n), 'USD', p_min_balance => -1)
    from generate_series(1, 20) n
  $$,
  'Twenty accounts'
);
create temporary table payments as
select
  n,
  jsonb_build_object(
    'idempotency_key', 'many-' || n, 'from', 'many-' || (n * 7 % 20 + 1),
    'to', 'many-' || (n * 13 % 20 + 1), 'amount', n % 3, 'currency', 'USD'
  ) as payment
from generate_series(1, 500) n;
create temporary table many as
select * from ledger.post_payments((select jsonb_agg(payment order by n) from payments));
select is(
  (select array_agg(item) from many), array(select generate_series(1, 500)),
  '500 payments have 500 outcomes, in input order'
);
select ok(
  count(*) filter (where outcome = 'posted') > 100
  and count(*) filter (where code = 'insufficient_funds') > 20
  and count(*) filter (where code = 'amount_not_positive') > 100,
  'They have all sorts of outcomes'
)
from many;
create temporary table one_by_one as
select item, (r).*
from (
  select
    n as item,
    ledger.post_payment(
      payment ->> 'idempotency_key', payment ->> 'from', payment ->> 'to',
      (payment ->> 'amount')::numeric, 'USD', p_ledger_id => 1
    ) as r
  from payments
) r;
select results_eq(
  $$select item, outcome, code, body::text from one_by_one order by item$$,
  $$select item, outcome, code, body::text from many order by item$$,
  'Retried one by one they are answered with the same bytes'
);
select tests.books();

select * from finish();
rollback;
