-- A payment with everything wrong about it at once, put right one thing at a time: each answer is
-- the code that comes next in the catalogue.
begin;
select plan(93);
select tests.open_accounts();
select lives_ok(
  $$
    select
      ledger.create_account('closed', 'USD'), ledger.set_account_status('closed', 'closed'),
      ledger.create_account('frozen', 'USD'), ledger.set_account_status('frozen', 'frozen'),
      ledger.create_account('poor', 'USD', p_max_balance => 5),
      ledger.create_account('rich', 'USD', p_max_balance => 5),
      ledger.create_account('deep', 'USD', p_min_balance => null),
      ledger.post_payment('used', 'alice', 'bob', 1, 'USD'),
      ledger.post_payment('deep', 'deep', 'world', 1e38 - 1, 'USD')
  $$,
  'Accounts in every state'
);
create temporary table steps (
  no int generated always as identity, code text, key text, from_code text, to_code text,
  amount numeric, currency text, description text, metadata jsonb, effective_at timestamptz,
  ledger_id int
);
insert into steps
  (code, key, from_code, to_code, amount, currency, description, metadata, effective_at, ledger_id)
values
  ('idempotency_key_missing', '', '?', '?', null, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('idempotency_key_too_long', repeat(' ', 256), '?', '?', null, '$', repeat('x', 1001), '[]',
    'infinity', 9),
  ('idempotency_key_malformed', ' ', '?', '?', null, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('account_code_malformed', 'k', '?', '?', null, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('same_account', 'k', 'no', 'no', null, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('amount_missing', 'k', 'no', 'nil', null, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('amount_not_integer', 'k', 'no', 'nil', -1.5, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('amount_not_positive', 'k', 'no', 'nil', -1e38, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('amount_too_large', 'k', 'no', 'nil', 1e38, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('currency_malformed', 'k', 'no', 'nil', 9, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('description_too_long', 'k', 'no', 'nil', 9, 'EUR', repeat('x', 1001), '[]', 'infinity', 9),
  ('metadata_not_object', 'k', 'no', 'nil', 9, 'EUR', 'x', '[]', 'infinity', 9),
  ('metadata_too_large', 'k', 'no', 'nil', 9, 'EUR', 'x',
    jsonb_build_object('a', repeat('x', 20000)), 'infinity', 9),
  ('effective_at_out_of_range', 'k', 'no', 'nil', 9, 'EUR', 'x', '{}', 'infinity', 9),
  ('unknown_ledger', 'k', 'no', 'nil', 9, 'EUR', 'x', '{}', null, 9),
  ('key_reused', 'used', 'no', 'poor', 9, 'EUR', 'x', '{}', null, 1),
  ('unknown_account', 'k', 'no', 'poor', 9, 'EUR', 'x', '{}', null, 1),
  ('currency_mismatch', 'k', 'frozen', 'closed', 9, 'EUR', 'x', '{}', null, 1),
  ('account_closed', 'k1', 'frozen', 'closed', 9, 'USD', 'x', '{}', null, 1),
  ('account_frozen', 'k2', 'frozen', 'rich', 9, 'USD', 'x', '{}', null, 1),
  ('insufficient_funds', 'k3', 'poor', 'rich', 9, 'USD', 'x', '{}', null, 1),
  ('balance_limit_exceeded', 'k4', 'alice', 'rich', 9, 'USD', 'x', '{}', null, 1),
  ('balance_out_of_range', 'k5', 'deep', 'world', 9, 'USD', 'x', '{}', null, 1),
  -- Alone, a malformed code or currency is found last, and is told first all the same.
  ('account_code_malformed', 'k', '?', 'bob', 9, 'USD', repeat('x', 1001), '[]', 'infinity', 9),
  ('account_code_malformed', 'k', 'alice', '?', 9, '$', 'x', '{}', null, 1),
  ('account_code_malformed', 'k', '?', 'bob', 0, 'USD', 'x', '{}', null, 1),
  ('currency_malformed', 'k', 'alice', 'bob', 9, '$', repeat('x', 1001), '[]', 'infinity', 9),
  ('currency_malformed', 'k', 'no', 'bob', 9, '$', 'x', '{}', null, 1),
  ('account_code_malformed', 'used', '?', 'bob', 9, 'USD', 'x', '{}', null, 1),
  ('currency_malformed', 'used', 'alice', 'bob', 9, '$', 'x', '{}', null, 1);

select is(
  (
    ledger.post_payment(
      key, from_code, to_code, amount, currency, description, metadata, effective_at, ledger_id
    )
  ).code,
  code,
  format('%s. %s', no, code)
)
from steps
order by no;
select is(
  (
    ledger.post_compound_payment(
      case when key ~ '^k\d' then key || '-compound' else key end,
      jsonb_build_array(
        jsonb_build_object('from', from_code, 'to', to_code, 'amount', amount, 'currency', currency)
      ),
      description, metadata, effective_at, ledger_id
    )
  ).code,
  code,
  format('%s. %s, as a compound payment', no, code)
)
from steps
order by no;
select is(
  (
    select result.code
    from ledger.post_payments(
      jsonb_build_array(
        jsonb_build_object(
          'idempotency_key', case when key ~ '^k\d' then key || '-batch' else key end,
          'from', from_code, 'to', to_code, 'amount', amount, 'currency', currency,
          'description', description, 'metadata', metadata,
          'effective_at', case when effective_at = 'infinity' then '9999-12-31T23:59:59-01:00' end
        )
      ),
      ledger_id
    ) result
  ),
  code,
  format('%s. %s, in a batch', no, code)
)
from steps
order by no;
select is(
  (select array_agg(code order by precedence) from ledger.error_codes
    where outcome <> 'raised' and code not in (select code from steps)),
  array['payment_malformed', 'postings_missing', 'too_many_postings', 'account_busy'],
  'These are all the codes but those that post_payment has no way to answer'
);
select tests.books();

select * from finish();
rollback;
