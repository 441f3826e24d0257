begin;
select plan(30);

create temporary table forms (n serial, json jsonb, simple boolean);
insert into forms (json, simple)
select '{"idempotency_key": "k", "from": "a", "to": "b", "amount": "1", "currency": "USD"}'::jsonb
  || changes::jsonb, simple
from (
  values
    ('{}', true), ('{"amount": 1}', true), ('{"metadata": {"a": 1}}', true),
    ('{"description": "tea"}', true), ('{"amount": "9999999999999999999999999999999999999"}', true),
    (format('{"idempotency_key": "%s"}', repeat('k', 255)), true),
    (format('{"description": "%s"}', repeat('é', 1000)), true),
    ('{"amount": "10000000000000000000000000000000000000"}', false),
    (format('{"idempotency_key": "%s"}', repeat('k', 256)), false),
    (format('{"description": "%s"}', repeat('é', 1001)), false),
    (format('{"metadata": {"a": "%s"}}', repeat('é', 8192)), false),
    ('{"amount": "01"}', false), ('{"amount": "-1"}', false), ('{"amount": 1.5}', false),
    ('{"amount": null}', false), ('{"amount": true}', false), ('{"amount": "0"}', false),
    ('{"from": "b"}', false), ('{"from": 1}', false), ('{"to": null}', false),
    ('{"currency": ["USD"]}', false), ('{"idempotency_key": ""}', false),
    ('{"idempotency_key": "a b"}', false), ('{"idempotency_key": 1}', false),
    ('{"postings": []}', false), ('{"effective_at": "2026-01-01T00:00:00Z"}', false),
    ('{"description": 1}', false), ('{"metadata": []}', false)
) as forms (changes, simple);
select is(
  cardinality(ledger_private.read_simple_payments(jsonb_build_array(json))), simple::int,
  left(json::text, 150)
)
from forms;

select is(
  ledger_private.read_simple_payments('[null, 1, "x", [], [1], {}]'), '{}',
  'What is no payment at all is none of them'
);
select is(
  ledger_private.read_simple_payments(
    '[{}, {"idempotency_key": "k", "from": "a", "to": "b", "amount": 7, "currency": "USD",
      "description": "tea", "metadata": {"a": 1}}]'
  )::text,
  array[
    (2, 'k', 'a', 'b', 7, 'USD', 'tea', '{"a": 1}')::ledger_private.simple_payment
  ]::text,
  'Each with its place'
);

select * from finish();
rollback;
