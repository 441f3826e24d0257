begin;
select plan(48);
select tests.open_accounts();

create temporary table first as
select ledger.post_compound_payment(
  'first',
  '[{"from": "alice", "to": "bob", "amount": "100", "currency": "USD"},
    {"from": "eva", "to": "world-eur", "amount": 30, "currency": "EUR"},
    {"from": "bob", "to": "carol", "amount": "100", "currency": "USD"},
    {"from": "alice", "to": "carol", "amount": "1.00", "currency": "USD"}]'
) as result;
select is(
  tests.effect(result),
  '1 alice -100 USD 500>400 v2, 1 bob 100 USD 0>100 v1, '
  '2 eva -30 EUR 300>270 v2, 2 world-eur 30 EUR -300>-270 v2, '
  '3 bob -100 USD 100>0 v2, 3 carol 100 USD 0>100 v1, '
  '4 alice -1 USD 400>399 v3, 4 carol 1 USD 100>101 v2',
  'Postings count in the order given; one may pass on what another brought; currencies may differ'
)
from first;
select is(
  tests.balances(), 'alice 399 v3, bob 0 v2, carol 101 v2, eva 270 v2, world -500 v1, '
  'world-eur -270 v2', 'The accounts hold what the postings left'
);
select is(
  (result).body::text, ledger.get_payment((result).payment_id)::text,
  'It reads back in the same order and bytes'
)
from first;
select tests.books();

-- Replay and conflict

select tests.remember();
select is(
  row(r.outcome, r.replayed, r.body)::text, row('posted', true, (first.result).body)::text,
  'A retry, its amounts written otherwise, is answered with the same bytes'
)
from
  first,
  ledger.post_compound_payment(
    'first',
    '[{"currency": "USD", "to": "bob", "from": "alice", "amount": 100.0},
      {"from": "eva", "to": "world-eur", "amount": "+30", "currency": "EUR"},
      {"from": "bob", "to": "carol", "amount": 1e2, "currency": "USD"},
      {"from": "alice", "to": "carol", "amount": "01", "currency": "USD"}]'
  ) r;
select tests.refuses(
  ledger.post_compound_payment('first', postings), 'conflict', '{"code": "key_reused"}',
  'The key was used: ' || what
)
from (
  values
    ('in another order',
      '[{"from": "eva", "to": "world-eur", "amount": 30, "currency": "EUR"},
        {"from": "alice", "to": "bob", "amount": "100", "currency": "USD"},
        {"from": "bob", "to": "carol", "amount": "100", "currency": "USD"},
        {"from": "alice", "to": "carol", "amount": "1", "currency": "USD"}]'::jsonb),
    ('without the last posting',
      '[{"from": "alice", "to": "bob", "amount": "100", "currency": "USD"},
        {"from": "eva", "to": "world-eur", "amount": 30, "currency": "EUR"},
        {"from": "bob", "to": "carol", "amount": "100", "currency": "USD"}]'),
    ('with another amount in the last posting',
      '[{"from": "alice", "to": "bob", "amount": "100", "currency": "USD"},
        {"from": "eva", "to": "world-eur", "amount": 30, "currency": "EUR"},
        {"from": "bob", "to": "carol", "amount": "100", "currency": "USD"},
        {"from": "alice", "to": "carol", "amount": "2", "currency": "USD"}]')
) as other (what, postings);
select tests.unchanged('Replays and conflicts write nothing');

-- One posting is a payment, under either function

select is(
  row(
    single.outcome, single.replayed, single.body, batch.outcome, batch.replayed, batch.body,
    postings.outcome, postings.replayed, postings.body
  )::text,
  row(
    'posted', true, compound.body, 'posted', true, compound.body, 'posted', true, compound.body
  )::text,
  'A single posting is the same payment by post_payment and post_payments'
)
from
  ledger.post_compound_payment(
    'single', '[{"from": "carol", "to": "bob", "amount": "5", "currency": "USD"}]', 'tea',
    '{"cups": 2}', '2026-01-01Z'
  ) compound
  cross join lateral (
    select (p).*
    from ledger.post_payment(
      case when compound.outcome = 'posted' then 'single' end, 'carol', 'bob', 5, 'USD', 'tea',
      '{"cups": 2}', '2026-01-01Z'
    ) p
  ) single
  cross join lateral ledger.post_payments(
    case when single.replayed then
      '[{"idempotency_key": "single", "from": "carol", "to": "bob", "amount": 5, "currency": "USD",
         "description": "tea", "metadata": {"cups": 2}, "effective_at": "2026-01-01T00:00:00Z"}]'
    end::jsonb
  ) batch
  cross join lateral ledger.post_payments(
    case when batch.replayed then
      '[{"idempotency_key": "single", "description": "tea", "metadata": {"cups": 2},
         "postings": [{"from": "carol", "to": "bob", "amount": "5", "currency": "USD"}],
         "effective_at": "2026-01-01T00:00:00Z"}]'
    end::jsonb
  ) postings;
select tests.books();

-- All or nothing

select tests.remember();
select tests.refuses(
  ledger.post_compound_payment(
    'second-fails-' || no,
    jsonb_build_array(
      '{"from": "alice", "to": "bob", "amount": "10", "currency": "USD"}'::jsonb, posting
    )
  ),
  'invalid', body, 'A second posting that is invalid: ' || (body::jsonb ->> 'code')
)
from (
  values
    (1, '{"from": "alice", "to": "nobody", "amount": "1", "currency": "USD"}'::jsonb,
      '{"code": "unknown_account", "account": "nobody", "posting_no": 2}'),
    (2, '{"from": "alice", "to": "alice", "amount": "1", "currency": "USD"}',
      '{"code": "same_account", "account": "alice", "posting_no": 2}'),
    (3, '{"from": "alice", "to": "bob", "amount": "0", "currency": "USD"}',
      '{"code": "amount_not_positive", "amount": "0", "posting_no": 2}'),
    (4, '{"from": "alice", "to": "eva", "amount": "1", "currency": "USD"}',
      '{"code": "currency_mismatch", "account": "eva", "currency": "USD", "posting_no": 2, '
      '"account_currency": "EUR"}'),
    (5, '{"from": "alice", "to": "bob", "amount": "x", "currency": "USD"}',
      '{"code": "amount_not_integer", "amount": "NaN", "posting_no": 2}'),
    (6, '{"from": "alice", "to": "bob", "currency": "USD"}',
      '{"code": "amount_missing", "posting_no": 2}')
) as second (no, posting, body);
select tests.unchanged('An invalid second posting leaves nothing of the first');

select tests.refuses(
  ledger.post_compound_payment(
    'second-is-too-much',
    '[{"from": "alice", "to": "bob", "amount": "10", "currency": "USD"},
      {"from": "alice", "to": "bob", "amount": "390", "currency": "USD"}]'
  ),
  'rejected',
  '{"code": "insufficient_funds", "amount": "390", "account": "alice", "currency": "USD", '
  '"available": "389", "posting_no": 2, "min_balance": "0"}',
  'A second posting is refused by what the first one left'
);
select tests.refuses(
  ledger.post_compound_payment(
    'brought-too-late',
    '[{"from": "bob", "to": "carol", "amount": "6", "currency": "USD"},
      {"from": "alice", "to": "bob", "amount": "6", "currency": "USD"}]'
  ),
  'rejected',
  '{"code": "insufficient_funds", "amount": "6", "account": "bob", "currency": "USD", '
  '"available": "5", "posting_no": 1, "min_balance": "0"}',
  'Money that a later posting brings does not pay for an earlier one'
);
select tests.refuses(
  ledger.post_compound_payment(
    'brought-too-late',
    '[{"from": "bob", "to": "carol", "amount": "6", "currency": "USD"},
      {"from": "alice", "to": "bob", "amount": "6", "currency": "USD"}]'
  ),
  'rejected',
  '{"code": "insufficient_funds", "amount": "6", "account": "bob", "currency": "USD", '
  '"available": "5", "posting_no": 1, "min_balance": "0"}',
  'A retry is answered the same', true
);
select is(
  tests.balances(), 'alice 399 v3, bob 5 v3, carol 96 v3, eva 270 v2, world -500 v1, '
  'world-eur -270 v2', 'A refused posting leaves nothing of the others'
);
select tests.books();

-- The form of the postings

select tests.remember();
select tests.refuses(
  ledger.post_compound_payment('k', postings), 'invalid', body,
  'Postings: ' || coalesce(left(postings::text, 60), 'no JSON')
)
from (
  values
    (null::jsonb, '{"code": "postings_missing"}'),
    ('null', '{"code": "postings_missing"}'),
    ('[]', '{"code": "postings_missing"}'),
    ('{}', '{"code": "payment_malformed", "field": "postings", "reason": "not an array"}'),
    ('"x"', '{"code": "payment_malformed", "field": "postings", "reason": "not an array"}'),
    ('[null]',
      '{"code": "payment_malformed", "field": "postings[1]", "reason": "not an object"}'),
    ('[{"from": "alice", "to": "bob", "amount": 1, "currency": "USD"}, []]',
      '{"code": "payment_malformed", "field": "postings[2]", "reason": "not an object"}'),
    ('[{"from": "alice", "to": "bob", "amount": 1, "currency": "USD", "fee": 1}]',
      '{"code": "payment_malformed", "field": "postings[1].fee", "reason": "unknown field"}'),
    ('[{"from": 1, "to": "bob", "amount": 1, "currency": "USD"}]',
      '{"code": "payment_malformed", "field": "postings[1].from", "reason": "not a string"}'),
    ('[{"from": "alice", "to": ["bob"], "amount": 1, "currency": "USD"}]',
      '{"code": "payment_malformed", "field": "postings[1].to", "reason": "not a string"}'),
    ('[{"from": "alice", "to": "bob", "amount": true, "currency": "USD"}]',
      '{"code": "payment_malformed", "field": "postings[1].amount", '
      '"reason": "not a string or an integer"}'),
    ('[{"from": "alice", "to": "bob", "amount": 1, "currency": 840}]',
      '{"code": "payment_malformed", "field": "postings[1].currency", "reason": "not a string"}'),
    ('[{}]', '{"code": "account_code_malformed", "account": null, "posting_no": 1}'),
    ('[{"from": null, "to": "bob", "amount": 1, "currency": "USD"}]',
      '{"code": "account_code_malformed", "account": null, "posting_no": 1}'),
    ('[{"from": "alice", "to": "bob", "amount": null, "currency": "USD"}]',
      '{"code": "amount_missing", "posting_no": 1}'),
    ('[{"from": "alice", "to": "bob", "amount": 1, "currency": null}]',
      '{"code": "currency_malformed", "currency": null, "posting_no": 1}'),
    (
      (
        select jsonb_agg('{"from": "alice", "to": "bob", "amount": 1, "currency": "USD"}'::jsonb)
        from generate_series(1, 101)
      ),
      '{"code": "too_many_postings", "limit": 100, "postings": 101}'
    )
) as forms (postings, body);
select tests.unchanged('None of these wrote anything');
select is(
  (
    ledger.post_compound_payment(
      'k',
      (
        select jsonb_agg('{"from": "alice", "to": "bob", "amount": 1, "currency": "USD"}'::jsonb)
        from generate_series(1, 100)
      )
    )
  ).outcome,
  'posted', '100 postings are not too many, and the key was free'
);
select is(
  tests.balances(), 'alice 299 v103, bob 105 v103, carol 96 v3, eva 270 v2, world -500 v1, '
  'world-eur -270 v2', 'Each of the 100 counted'
);

-- Business refusals are found over the whole payment, in order of precedence

select lives_ok(
  $$select ledger.set_account_status('carol', 'frozen')$$, 'carol is frozen'
);
select tests.refuses(
  ledger.post_compound_payment(
    'frozen-second',
    '[{"from": "alice", "to": "bob", "amount": "1000", "currency": "USD"},
      {"from": "alice", "to": "carol", "amount": "1", "currency": "USD"}]'
  ),
  'rejected', '{"code": "account_frozen", "account": "carol", "posting_no": 2}',
  'A frozen account in the second posting goes before a lack of money in the first'
);
select tests.refuses(
  ledger.post_compound_payment(
    'unknown-second',
    '[{"from": "alice", "to": "carol", "amount": "1000", "currency": "USD"},
      {"from": "alice", "to": "nobody", "amount": "1", "currency": "USD"}]'
  ),
  'invalid', '{"code": "unknown_account", "account": "nobody", "posting_no": 2}',
  'An unknown account in the second posting goes before both, and is not stored'
);
select is(
  (select count(*) from ledger.idempotency_keys where key = 'unknown-second'), 0::bigint,
  'The key of an invalid payment is free'
);
select tests.books();

select * from finish();
rollback;
