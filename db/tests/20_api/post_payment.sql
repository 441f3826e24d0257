begin;
select plan(36);
select tests.open_accounts();

-- Posting

create temporary table first as
select ledger.post_payment('first', 'alice', 'bob', 100, 'USD') as result;

select is(
  tests.effect(result), '1 alice -100 USD 500>400 v2, 1 bob 100 USD 0>100 v1',
  'A payment moves its amount from the one account to the other'
)
from first;
select is(
  row((result).outcome, (result).code, (result).replayed)::text, '(posted,,f)',
  'The outcome is posted, without a code, not replayed'
)
from first;
select is(
  (result).body::text,
  format(
    '{"payment_id":"%s","kind":"payment","description":null,"metadata":{},"effective_at":"%s",'
    '"posted_at":"%2$s","entries":[{"posting_no":1,"account":"alice","currency":"USD",'
    '"amount":"-100","balance_before":"500","balance_after":"400","version":2},{"posting_no":1,'
    '"account":"bob","currency":"USD","amount":"100","balance_before":"0","balance_after":"100",'
    '"version":1}]}',
    payment_id, to_char(posted_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  ),
  'The body has exactly these bytes'
)
from first
join ledger.payments on payment_id = (result).payment_id;
select ok(
  clock_timestamp() - posted_at between '0 s' and '10 s', 'posted_at is the time of posting'
)
from first
join ledger.payments on payment_id = (result).payment_id;
select is(
  tests.balances(), 'alice 400 v2, bob 100 v1, eva 300 v1, world -500 v1, world-eur -300 v1',
  'The accounts hold what the payment left'
);
select tests.books();

-- Everything a payment can carry

create temporary table laden as
select ledger.post_payment(
  'laden', 'alice', 'bob', 1, 'USD', E'rent "May" \\ \n\u00fc\u20ac\U0001F600 </x>',
  '{"b": [1.50, null], "a": "\u00fc"}', '2020-02-29 23:59:59.1234567+05:30'
) as result;

select is(
  (result).body ->> 'description', E'rent "May" \\ \n\u00fc\u20ac\U0001F600 </x>',
  'The description comes back as it was'
)
from laden;
select is(
  (result).body ->> 'metadata', '{"a": "ü", "b": [1.50, null]}', 'The metadata comes back'
)
from laden;
select is(
  (result).body ->> 'effective_at', '2020-02-29T18:29:59.123457Z',
  'effective_at comes back in UTC, to the microsecond'
)
from laden;
select isnt(
  (result).body ->> 'posted_at', (result).body ->> 'effective_at', 'posted_at has its own time'
)
from laden;
select tests.books();

-- Replay

select tests.remember();
select is(
  row(replay.*)::text,
  row('posted', null, true, (first.result).payment_id, (first.result).body)::text,
  'A retry is answered with the same payment and bytes, and says that it is one'
)
from first, ledger.post_payment('first', 'alice', 'bob', 100, 'USD') replay;
select is(
  (ledger.post_payment('first', 'alice', 'bob', 100.00, 'USD')).body::text, (result).body::text,
  '100.00 is the same amount as 100'
)
from first;
select is(
  (
    ledger.post_payment(
      'laden', 'alice', 'bob', 1, 'USD', E'rent "May" \\ \n\u00fc\u20ac\U0001F600 </x>',
      '{"a":"ü",   "b":[1.50,null]}', '2020-02-29 18:29:59.123457Z'
    )
  ).body::text,
  (result).body::text,
  'The same instant and metadata, written in another way, are the same payment'
)
from laden;
select is(
  (ledger.post_payment('first', 'alice', 'bob', 100, 'USD', null, '{}', null, 1)).replayed, true,
  'The defaults, written out, are the same payment'
);
select tests.unchanged('Retries write nothing');

-- The same key for something else

create temporary table used as
select ledger.post_payment(
  'used', 'alice', 'bob', 1, 'USD', 'rent', '{"a": 1}', '2020-01-01Z'
) as result;
select tests.remember();
select tests.refuses(
  ledger.post_payment(
    'used', from_code, to_code, amount, currency, description, metadata::jsonb,
    effective_at::timestamptz
  ),
  'conflict', '{"code": "key_reused"}', 'The key was used with another ' || what
)
from (
  values
    ('amount', 'alice', 'bob', 2, 'USD', 'rent', '{"a": 1}', '2020-01-01Z'),
    ('amount, too large', 'alice', 'bob', 10000, 'USD', 'rent', '{"a": 1}', '2020-01-01Z'),
    ('sender', 'carol', 'bob', 1, 'USD', 'rent', '{"a": 1}', '2020-01-01Z'),
    ('sender, unknown', 'nobody', 'bob', 1, 'USD', 'rent', '{"a": 1}', '2020-01-01Z'),
    ('receiver', 'alice', 'carol', 1, 'USD', 'rent', '{"a": 1}', '2020-01-01Z'),
    ('direction', 'bob', 'alice', 1, 'USD', 'rent', '{"a": 1}', '2020-01-01Z'),
    ('currency', 'alice', 'bob', 1, 'EUR', 'rent', '{"a": 1}', '2020-01-01Z'),
    ('description', 'alice', 'bob', 1, 'USD', 'Rent', '{"a": 1}', '2020-01-01Z'),
    ('description, none', 'alice', 'bob', 1, 'USD', null, '{"a": 1}', '2020-01-01Z'),
    ('description, empty', 'alice', 'bob', 1, 'USD', '', '{"a": 1}', '2020-01-01Z'),
    ('metadata', 'alice', 'bob', 1, 'USD', 'rent', '{"a": 2}', '2020-01-01Z'),
    ('metadata, none', 'alice', 'bob', 1, 'USD', 'rent', '{}', '2020-01-01Z'),
    ('effective_at', 'alice', 'bob', 1, 'USD', 'rent', '{"a": 1}', '2020-01-01 00:00:00.000001Z'),
    ('effective_at, none', 'alice', 'bob', 1, 'USD', 'rent', '{"a": 1}', null)
) as other (what, from_code, to_code, amount, currency, description, metadata, effective_at);
select tests.unchanged('A conflict writes nothing');
select is(
  (
    ledger.post_payment('used', 'alice', 'bob', 1, 'USD', 'rent', '{"a": 1}', '2020-01-01Z')
  ).body::text,
  (result).body::text,
  'The key still answers for its own payment'
)
from used;

-- Another ledger

select lives_ok(
  $$
    select ledger.create_account(code, 'USD', 'equity', null, p_ledger_id => l.ledger_id)
    from ledger.create_ledger('other') l, unnest(array['alice', 'bob']) code
  $$,
  'Another ledger has accounts of the same codes'
);
create temporary table elsewhere as
select ledger.post_payment(
  'first', 'alice', 'bob', 7, 'USD', p_ledger_id => (ledger.find_ledger('other')).ledger_id
) as result;
select is(
  tests.effect(result), '1 alice -7 USD 0>-7 v1, 1 bob 7 USD 0>7 v1',
  'The same key in another ledger is another key, the same code another account'
)
from elsewhere;
select is(
  (ledger.post_payment('first', 'alice', 'bob', 100, 'USD')).body::text, (result).body::text,
  'Neither ledger''s key answers for the other'
)
from first;
select tests.books();

select * from finish();
rollback;
