-- What a payment may not say: answered, not stored, and the key stays free.
begin;
select plan(95);
select tests.open_accounts();
select tests.remember();

select tests.refuses(
  ledger.post_payment(key, 'alice', 'bob', 1, 'USD'), 'invalid', body, 'A key that is ' || what
)
from (
  values
    ('missing', null, '{"code": "idempotency_key_missing"}'),
    ('empty', '', '{"code": "idempotency_key_missing"}'),
    ('of 256 characters', repeat('k', 256),
      '{"code": "idempotency_key_too_long", "limit": 255, "length": 256}'),
    ('of 256 characters, more bytes', repeat('ü', 256),
      '{"code": "idempotency_key_too_long", "limit": 255, "length": 256}'),
    ('with a space', 'a b', '{"code": "idempotency_key_malformed"}'),
    ('with a tab', E'a\tb', '{"code": "idempotency_key_malformed"}'),
    ('with a line feed at its end', E'ab\n', '{"code": "idempotency_key_malformed"}'),
    ('with a control character', E'a\x01b', '{"code": "idempotency_key_malformed"}'),
    ('with a DEL', E'a\x7fb', '{"code": "idempotency_key_malformed"}'),
    ('not ASCII', 'schlüssel', '{"code": "idempotency_key_malformed"}'),
    ('with a no-break space', E'a\u00a0b', '{"code": "idempotency_key_malformed"}')
) as keys (what, key, body);

select tests.refuses(
  ledger.post_payment('k', from_code, to_code, 1, 'USD'), 'invalid', body, what
)
from (
  values
    ('No sender', null, 'bob',
      '{"code": "account_code_malformed", "account": null, "posting_no": 1}'),
    ('No receiver', 'alice', null,
      '{"code": "account_code_malformed", "account": null, "posting_no": 1}'),
    ('An empty code', '', 'bob',
      '{"code": "account_code_malformed", "account": "", "posting_no": 1}'),
    ('A code with a space', 'alice', 'bo b',
      '{"code": "account_code_malformed", "account": "bo b", "posting_no": 1}'),
    ('A code that ends with a colon', 'alice', 'bob:',
      '{"code": "account_code_malformed", "account": "bob:", "posting_no": 1}'),
    ('A code with a line feed', E'alice\n', 'bob',
      '{"code": "account_code_malformed", "account": "alice\n", "posting_no": 1}'),
    ('A code that is not ASCII', 'älice', 'bob',
      '{"code": "account_code_malformed", "account": "älice", "posting_no": 1}'),
    ('A code of 129 characters', 'alice', repeat('b', 129), format(
      '{"code": "account_code_malformed", "account": "%s", "posting_no": 1}', repeat('b', 129))),
    ('A code of 300 characters, shortened in the answer', 'alice', repeat('b', 300), format(
      '{"code": "account_code_malformed", "account": "%s", "posting_no": 1}', repeat('b', 200))),
    ('An account to itself', 'alice', 'alice',
      '{"code": "same_account", "account": "alice", "posting_no": 1}'),
    ('An account to itself that does not exist', 'nobody', 'nobody',
      '{"code": "same_account", "account": "nobody", "posting_no": 1}'),
    ('An unknown sender', 'nobody', 'bob',
      '{"code": "unknown_account", "account": "nobody", "posting_no": 1}'),
    ('An unknown receiver', 'alice', 'nobody',
      '{"code": "unknown_account", "account": "nobody", "posting_no": 1}'),
    ('Two unknown accounts: the sender', 'nobody', 'no-one',
      '{"code": "unknown_account", "account": "nobody", "posting_no": 1}'),
    ('A code in other letters', 'Alice', 'bob',
      '{"code": "unknown_account", "account": "Alice", "posting_no": 1}'),
    ('A sender of another currency', 'eva', 'bob', '{"code": "currency_mismatch", '
      '"account": "eva", "currency": "USD", "posting_no": 1, "account_currency": "EUR"}'),
    ('A receiver of another currency', 'alice', 'eva', '{"code": "currency_mismatch", '
      '"account": "eva", "currency": "USD", "posting_no": 1, "account_currency": "EUR"}'),
    ('Two accounts of another currency: the sender', 'world-eur', 'eva',
      '{"code": "currency_mismatch", "account": "world-eur", "currency": "USD", "posting_no": 1, '
      '"account_currency": "EUR"}')
) as accounts (what, from_code, to_code, body);

select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', amount, 'USD'), 'invalid',
  case
    when amount is null then '{"code": "amount_missing", "posting_no": 1}'
    else format('{"code": "%s", "amount": "%s", "posting_no": 1}', code, amount)
  end,
  format('An amount of %s', coalesce(amount::text, 'null'))
)
from (
  values
    (null, 'amount_missing'),
    (0, 'amount_not_positive'),
    (0.00, 'amount_not_positive'),
    (-1, 'amount_not_positive'),
    (1 - 1e38, 'amount_not_positive'),
    ('-Infinity', 'amount_not_positive'),
    (1.5, 'amount_not_integer'),
    (-1.5, 'amount_not_integer'),
    (0.1, 'amount_not_integer'),
    (1e37 + 0.1, 'amount_not_integer'),
    ('NaN', 'amount_not_integer'),
    (1e38, 'amount_too_large'),
    ('Infinity', 'amount_too_large')
) as amounts (amount, code);

select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', 1, currency), 'invalid',
  format(
    '{"code": "currency_malformed", "currency": %s, "posting_no": 1}',
    coalesce(to_json(currency)::text, 'null')
  ),
  format('A currency of %s', coalesce(to_json(currency)::text, 'null'))
)
from unnest(array[null, '', 'US', 'usd', 'Usd', 'U$D', '1USD', 'USD ', 'ABCDEFGHIJKLM', 'ÄÖÜ'])
  as currency;
select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', 1, 'XYZ'), 'invalid',
  '{"code": "currency_mismatch", "account": "alice", "currency": "XYZ", "posting_no": 1, '
  '"account_currency": "USD"}',
  'A currency that nobody knows is not the account''s'
);

select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', 1, 'USD', repeat('ü', 1001)), 'invalid',
  '{"code": "description_too_long", "limit": 1000, "length": 1001}',
  'A description of 1001 characters'
);
select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', 1, 'USD', null, metadata), 'invalid',
  '{"code": "metadata_not_object"}', 'Metadata that is ' || coalesce(metadata::text, 'no JSON')
)
from unnest(array[null, 'null', '[]', '"{}"', '1', 'true']::jsonb[]) as metadata;
select tests.refuses(
  ledger.post_payment(
    'k', 'alice', 'bob', 1, 'USD', null, jsonb_build_object('a', repeat('x', 16376))
  ),
  'invalid', '{"code": "metadata_too_large", "bytes": 16385, "limit": 16384}',
  'Metadata one byte above 16 KiB'
);
select tests.refuses(
  ledger.post_payment(
    'k', 'alice', 'bob', 1, 'USD', null, jsonb_build_object('a', repeat('ü', 8188))
  ),
  'invalid', '{"code": "metadata_too_large", "bytes": 16385, "limit": 16384}',
  'Metadata one byte above 16 KiB, counted in bytes'
);
select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', 1, 'USD', p_effective_at => effective_at), 'invalid',
  '{"code": "effective_at_out_of_range"}', format('effective_at of %s', effective_at)
)
from unnest(
  array[
    '0001-12-31 23:59:59.999999 BC', '10000-01-01Z', 'infinity', '-infinity', '4713-01-01 BC'
  ]::timestamptz[]
) as effective_at;

select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', 1, 'USD', p_ledger_id => ledger_id), 'invalid',
  format('{"code": "unknown_ledger", "ledger_id": %s}', ledger_id),
  format('A ledger of number %s', ledger_id)
)
from unnest(array[0, -1, 12345]) as ledger_id;

select tests.unchanged('None of these wrote anything');
select tests.books();

-- The key of an invalid payment is free

select is(
  tests.effect(ledger.post_payment('k', 'alice', 'bob', 1, 'USD')),
  '1 alice -1 USD 500>499 v2, 1 bob 1 USD 0>1 v1', 'The key, used above in vain, posts'
);

-- A used key answers for its payment, whatever else is wrong about another one

select tests.refuses(
  ledger.post_payment('k', 'nobody', 'bob', 1, 'USD'), 'conflict', '{"code": "key_reused"}',
  'key_reused goes before unknown_account'
);
select tests.refuses(
  ledger.post_payment('k', 'alice', 'eva', 1, 'USD'), 'conflict', '{"code": "key_reused"}',
  'key_reused goes before currency_mismatch'
);
select tests.refuses(
  ledger.post_payment('k', 'alice', 'bob', 0, 'USD'), 'invalid',
  '{"code": "amount_not_positive", "amount": "0", "posting_no": 1}',
  'What is malformed goes before key_reused'
);

-- The edges of what is accepted

select is(
  (ledger.post_payment(key, 'alice', 'bob', 1, 'USD')).outcome, 'posted',
  format('A key of %s characters: %s', length(key), left(key, 100))
)
from unnest(
  array[
    repeat('k', 255), '!', '"', '\', '~',
    (select string_agg(chr(c), '' order by c) from generate_series(33, 126) c)
  ]
) as key;
select is(
  (
    ledger.post_payment(
      'edges', 'alice', 'bob', 1, 'USD', repeat('ü', 1000),
      jsonb_build_object('a', repeat('x', 16375))
    )
  ).outcome,
  'posted', 'A description of 1000 characters and metadata of 16 KiB'
);
select is(
  (
    ledger.post_payment(
      'time-' || no, 'alice', 'bob', 1, 'USD', p_effective_at => effective_at::timestamptz
    )
  ).body ->> 'effective_at',
  rendered, 'effective_at of ' || effective_at
)
from (
  values
    (1, '0001-01-01 00:00:00Z', '0001-01-01T00:00:00.000000Z'),
    (2, '9999-12-31 23:59:59.999999Z', '9999-12-31T23:59:59.999999Z'),
    (3, '1969-12-31 23:59:59.999999Z', '1969-12-31T23:59:59.999999Z')
) as times (no, effective_at, rendered);
select lives_ok(
  format('select ledger.create_account(%L, %L)', code, 'USD'), 'An account ' || left(code, 20)
)
from unnest(array[repeat('c', 128), 'a:b.c@d_e-F9', '_', '-']) as code;
select is(
  (ledger.post_payment('to-' || left(code, 20), 'alice', code, 1, 'USD')).outcome, 'posted',
  'The code ' || left(code, 20)
)
from unnest(array[repeat('c', 128), 'a:b.c@d_e-F9', '_', '-']) as code;
select tests.books();

select * from finish();
rollback;
