begin;
select plan(6);

-- The problem of an entry of a change (amount, held) on an account (balance, held, min, max).
create function pg_temp.problem(
  p_amount numeric, p_held numeric, p_balance numeric, p_held_before numeric, p_min numeric,
  p_max numeric
)
returns text
language sql
as $$
  select ledger_private.limit_problem(
    (2, 7, 'a', 'USD', p_amount, p_held, 4, p_balance + p_amount, p_held_before + p_held),
    (7, 'a', 'USD', 'open', p_balance, p_held_before, 3, p_min, p_max)
  )::text
$$;

select is(
  pg_temp.problem(-5, 0, 10, 8, 0, null),
  '{"code": "insufficient_funds", "amount": "5", "account": "a", "currency": "USD", '
  '"available": "2", "posting_no": 2, "min_balance": "0"}',
  'Below the minimum'
);
select is(
  pg_temp.problem(0, 5, 10, 8, 0, null),
  '{"code": "insufficient_funds", "amount": "5", "account": "a", "currency": "USD", '
  '"available": "2", "posting_no": 2, "min_balance": "0"}',
  'Below the minimum by what is held'
);
select is(
  pg_temp.problem(5, 0, 10, 8, 0, 14),
  '{"code": "balance_limit_exceeded", "amount": "5", "account": "a", "balance": "10", '
  '"currency": "USD", "posting_no": 2, "max_balance": "14"}',
  'Above the maximum'
);
select is(
  pg_temp.problem(5, 8, 10, 0, 20, 14)::jsonb ->> 'code', 'insufficient_funds',
  'The minimum goes before the maximum'
);
select is(
  pg_temp.problem(1e38 - 1, 0, 1, 0, 0, null),
  '{"code": "balance_out_of_range", "amount": "99999999999999999999999999999999999999", '
  '"account": "a", "balance": "1", "currency": "USD", "posting_no": 2}',
  'Beyond 38 digits'
);
select is(
  pg_temp.problem(1e38 - 1, 0, 1, 0, 0, 5)::jsonb ->> 'code', 'balance_limit_exceeded',
  'The maximum goes before the 38 digits'
);

select * from finish();
rollback;
