begin;
select plan(16);

select is(p.postings::text, expected::text, format('%s is read', json))
from (
  values
    ('[{"from": "a", "to": "b", "amount": "100", "currency": "USD"}]',
      array[(1, 'a', 'b', 100, 'USD')]::ledger_private.posting[]),
    ('[{"from": "a", "to": "b", "amount": 1.5, "currency": "USD"}, {"to": "c", "amount": "x"}]',
      array[(1, 'a', 'b', 1.5, 'USD'), (2, null, 'c', 'NaN', null)]::ledger_private.posting[]),
    ('[{}]', array[(1, null, null, null, null)]::ledger_private.posting[]),
    ('[{"from": null, "to": null, "amount": null, "currency": null}]',
      array[(1, null, null, null, null)]::ledger_private.posting[])
) as forms (json, expected),
  ledger_private.parse_postings(json::jsonb) p;
select is(
  p.problem::text, expected,
  format('%s is refused', left(coalesce(json, 'null'), 70))
)
from (
  values
    (null, '{"code": "postings_missing"}'), ('null', '{"code": "postings_missing"}'),
    ('[]', '{"code": "postings_missing"}'),
    ('{}', '{"code": "payment_malformed", "field": "postings", "reason": "not an array"}'),
    ('[{"from": "a", "to": "b", "amount": "1", "currency": "USD"}, "x"]',
      '{"code": "payment_malformed", "field": "postings[2]", "reason": "not an object"}'),
    ('[{"from": "a", "From": "b"}]',
      '{"code": "payment_malformed", "field": "postings[1].From", "reason": "unknown field"}'),
    ('[{"' || repeat('x', 300) || '": 1}]', format(
      '{"code": "payment_malformed", "field": "postings[1].%s", "reason": "unknown field"}',
      repeat('x', 188))),
    ('[{"from": 1}]',
      '{"code": "payment_malformed", "field": "postings[1].from", "reason": "not a string"}'),
    ('[{"amount": []}]', '{"code": "payment_malformed", "field": "postings[1].amount", '
      '"reason": "not a string or an integer"}')
) as forms (json, expected),
  ledger_private.parse_postings(json::jsonb) p;
select is(
  (ledger_private.parse_postings((select jsonb_agg(1) from generate_series(1, n)))).problem ->> 'code',
  code, format('%s postings', n)
)
from (values (100, 'payment_malformed'), (101, 'too_many_postings')) as counts (n, code);
select is(
  array_length(
    (
      ledger_private.parse_postings((select jsonb_agg('{}'::jsonb) from generate_series(1, 100)))
    ).postings,
    1
  ),
  100, '100 postings are read'
);

select * from finish();
rollback;
