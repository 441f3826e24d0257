-- Its outcomes are those of its callers: see post_compound_payment and post_payments.
begin;
select plan(7);
select tests.open_accounts();

create function pg_temp.request(p_key text, p_problem jsonb default null, p_amount numeric default 5)
returns ledger_private.request
language sql
as $$
  select (
    p_key, array[(1, 'alice', 'bob', p_amount, 'USD')]::ledger_private.posting[], 'tea', '{}', null,
    p_problem
  )::ledger_private.request
$$;

select is(
  tests.effect(ledger_private.post_request(1, pg_temp.request('k'), true)),
  '1 alice -5 USD 500>495 v2, 1 bob 5 USD 0>5 v1', 'A request that is well-formed is posted'
);
select is(
  (ledger.post_payment('k', 'alice', 'bob', 5, 'USD', 'tea')).replayed, true,
  'It is the payment that post_payment makes'
);
select tests.remember();
select tests.refuses(
  ledger_private.post_request(1, pg_temp.request('', '{"code": "postings_missing"}'), true),
  'invalid', '{"code": "idempotency_key_missing"}', 'The key is judged first'
);
select tests.refuses(
  ledger_private.post_request(1, pg_temp.request('x', '{"code": "postings_missing"}', 0), true),
  'invalid', '{"code": "postings_missing"}', 'then what could not be read'
);
select tests.refuses(
  ledger_private.post_request(1, pg_temp.request('x', null, 0), true),
  'invalid', '{"code": "amount_not_positive", "amount": "0", "posting_no": 1}', 'then the postings'
);
select tests.unchanged();
select tests.books();

select * from finish();
rollback;
