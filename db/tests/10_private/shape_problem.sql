begin;
select plan(2);

select is(
  ledger_private.shape_problem('postings[1].from', 'not a string')::text,
  '{"code": "payment_malformed", "field": "postings[1].from", "reason": "not a string"}',
  'The field and the reason'
);
select is(
  length(ledger_private.shape_problem(repeat('x', 5000), 'unknown field') ->> 'field'), 200,
  'A field that somebody sent is not repeated at length'
);

select * from finish();
rollback;
