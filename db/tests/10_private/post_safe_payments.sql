begin;
select plan(9);
select tests.open_accounts();

create function pg_temp.safe(p_payments jsonb)
returns ledger_private.safe_payment[]
language sql
as $$
  select ledger_private.safe_payments(
    ledger_private.read_simple_payments(p_payments),
    ledger_private.lock_accounts(1, array['alice', 'bob', 'carol'], true), '{}', '{}'
  )
$$;
create temporary table posted as
select s.item, s.payment_id, s.body
from ledger_private.post_safe_payments(
  1,
  pg_temp.safe(
    '[{"idempotency_key": "z", "from": "alice", "to": "bob", "amount": 30, "currency": "USD"},
      {"idempotency_key": "y", "from": "alice", "to": "carol", "amount": 20, "currency": "USD",
       "description": "tea", "metadata": {"a": 1}},
      {"idempotency_key": "x", "from": "alice", "to": "bob", "amount": 1, "currency": "USD"}]'
  )
) s;
select is(tests.balances(), 'alice 449 v4, bob 31 v2, carol 20 v1, eva 300 v1, world -500 v1, world-eur -300 v1', 'The balances');
select tests.books();
select is(
  (
    select string_agg(format('%s %s %s', e ->> 'account', e ->> 'version', e ->> 'balance_after'), ', ' order by item, no)
    from posted, json_array_elements(body -> 'entries') with ordinality entries (e, no)
  ),
  'alice 2 470, bob 1 30, alice 3 450, carol 1 20, alice 4 449, bob 2 31',
  'As if posted in the order of the items, whatever the order of the keys'
);
select results_eq(
  'select item, payment_id from posted order by item',
  $$select n::int, (ledger.find_payment_by_key(key)).payment_id
    from (values (1, 'z'), (2, 'y'), (3, 'x')) keys (n, key) order by n$$,
  'Each with its payment'
);
select is_empty(
  $$select from posted p
    where p.body::text is distinct from ledger_private.posted_body(1, p.payment_id)::text$$,
  'Answered with the bytes that a replay has'
);
select is(
  (ledger.post_payment(key, 'alice', to_code, amount, 'USD', description, metadata)).replayed,
  true, key || ' is replayed by other functions'
)
from (
  values
    ('x', 'bob', 1, null, '{}'::jsonb), ('y', 'carol', 20, 'tea', '{"a": 1}')
) as posted (key, to_code, amount, description, metadata);

select is(
  (
    select string_agg(s.item::text, ' ')
    from ledger_private.post_safe_payments(
      1,
      pg_temp.safe(
        '[{"idempotency_key": "z", "from": "alice", "to": "bob", "amount": 30, "currency": "USD"},
          {"idempotency_key": "w", "from": "alice", "to": "bob", "amount": 5, "currency": "USD"}]'
      )
    ) s
  ),
  '2', 'What has an outcome already is left alone'
);
select tests.books();

select * from finish();
rollback;
