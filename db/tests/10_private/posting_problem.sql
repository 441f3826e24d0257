begin;
select plan(15);

-- Everything wrong at once, put right one thing at a time.
select is(
  ledger_private.posting_problem(3, from_code, to_code, amount, currency)::text, problem,
  coalesce(problem, 'Nothing is wrong')
)
from (
  values
    ('?', '?', null, null, '{"code": "account_code_malformed", "account": "?", "posting_no": 3}'),
    ('a', '?', null, null, '{"code": "account_code_malformed", "account": "?", "posting_no": 3}'),
    (null, 'a', 1, 'USD', '{"code": "account_code_malformed", "account": null, "posting_no": 3}'),
    ('a', 'a', null, null, '{"code": "same_account", "account": "a", "posting_no": 3}'),
    ('a', 'b', null, null, '{"code": "amount_missing", "posting_no": 3}'),
    ('a', 'b', 'NaN', null, '{"code": "amount_not_integer", "amount": "NaN", "posting_no": 3}'),
    ('a', 'b', -0.5, null, '{"code": "amount_not_integer", "amount": "-0.5", "posting_no": 3}'),
    ('a', 'b', -1, null, '{"code": "amount_not_positive", "amount": "-1", "posting_no": 3}'),
    ('a', 'b', 0, null, '{"code": "amount_not_positive", "amount": "0", "posting_no": 3}'),
    ('a', 'b', 1e38, null, format(
      '{"code": "amount_too_large", "amount": "1%s", "posting_no": 3}', repeat('0', 38))),
    ('a', 'b', 1e300, null, format(
      '{"code": "amount_too_large", "amount": "1%s", "posting_no": 3}', repeat('0', 199))),
    ('a', 'b', 1, null, '{"code": "currency_malformed", "currency": null, "posting_no": 3}'),
    ('a', 'b', 1, 'USD', null),
    ('a', 'b', 1.00, 'USD', null),
    ('a', 'b', 1e38 - 1, 'USD', null)
) as postings (from_code, to_code, amount, currency, problem);

select * from finish();
rollback;
