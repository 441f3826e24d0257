begin;
select plan(23);

create temporary table forms (json text, expected ledger_private.request);
insert into forms values
  ('{"idempotency_key": "k", "from": "a", "to": "b", "amount": "1", "currency": "USD"}',
    ('k', array[(1, 'a', 'b', 1, 'USD')]::ledger_private.posting[], null, '{}', null, null)),
  ('{"idempotency_key": "k",
     "postings": [{"from": "a", "to": "b", "amount": 1, "currency": "USD"}]}',
    ('k', array[(1, 'a', 'b', 1, 'USD')]::ledger_private.posting[], null, '{}', null, null)),
  ('{"idempotency_key": "k", "from": "a", "to": "b", "amount": "1", "currency": "USD",
     "description": "tea", "metadata": {"a": 1}, "effective_at": "2026-01-01T00:00:00Z"}',
    ('k', array[(1, 'a', 'b', 1, 'USD')]::ledger_private.posting[], 'tea', '{"a": 1}',
      '2026-01-01Z', null)),
  ('{"idempotency_key": "k", "from": "a", "to": "b", "amount": "1", "currency": "USD",
     "description": null, "metadata": [], "effective_at": null}',
    ('k', array[(1, 'a', 'b', 1, 'USD')]::ledger_private.posting[], null, '[]', null, null)),
  ('{"from": "a"}',
    (null, array[(1, 'a', null, null, null)]::ledger_private.posting[], null, '{}', null, null)),
  ('{}', (null, null, null, '{}', null, '{"code": "postings_missing"}'));
select is(ledger_private.parse_request(json::jsonb)::text, expected::text, json) from forms;

select is(
  (ledger_private.parse_request(json::jsonb)).problem::text,
  format('{"code": "payment_malformed", "field": "%s", "reason": "%s"}', field, reason), json
)
from (
  values
    ('[]', 'payment', 'not an object'), ('null', 'payment', 'not an object'),
    ('"x"', 'payment', 'not an object'),
    ('{"key": "k"}', 'key', 'unknown field'), ('{"": 1}', '', 'unknown field'),
    ('{"postings": [], "to": "b"}', 'to', 'given beside postings'),
    ('{"postings": null, "amount": 1}', 'amount', 'given beside postings'),
    ('{"idempotency_key": 1}', 'idempotency_key', 'not a string'),
    ('{"description": {}}', 'description', 'not a string'),
    ('{"effective_at": 1767323045}', 'effective_at', 'not a string'),
    ('{"effective_at": "tomorrow"}', 'effective_at', 'not an ISO 8601 time with an offset'),
    ('{"from": "a", "to": 1}', 'postings[1].to', 'not a string'),
    ('{"postings": 1}', 'postings', 'not an array')
) as forms (json, field, reason);
select is(
  (ledger_private.parse_request(json::jsonb)).idem_key, 'k',
  format('The key is known, whatever else is wrong: %s', json)
)
from unnest(
  array[
    '{"idempotency_key": "k", "note": 1}', '{"idempotency_key": "k", "description": 1}',
    '{"idempotency_key": "k", "postings": 1}', '{"idempotency_key": "k", "effective_at": "x"}'
  ]
) json;

select * from finish();
rollback;
