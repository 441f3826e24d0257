begin;
select plan(13);
select tests.open_accounts();
select lives_ok(
  $$
    select
      ledger.create_account('frozen', 'USD'), ledger.set_account_status('frozen', 'frozen'),
      ledger.create_account('closed', 'USD'), ledger.set_account_status('closed', 'closed')
  $$,
  'Accounts in every state'
);

-- The problem of a payment over these accounts, all of them locked but those in p_unlocked.
create function pg_temp.problem(
  p_codes text[], p_currency text default 'USD', p_unlocked text[] default '{}',
  p_ledger_id int default 1
)
returns text
language sql
as $$
  select ledger_private.account_problem(
    p_ledger_id,
    array(
      select (no, code, p_currency, -1, 0)::ledger_private.change
      from unnest(p_codes) with ordinality c (code, no)
    ),
    array(
      select l
      from unnest(ledger_private.lock_accounts(p_ledger_id, p_codes, true)) l
      where l.code <> all (p_unlocked)
    )
  )::text
$$;

select is(pg_temp.problem(array['alice', 'bob']), null, 'Nothing is wrong');
select is(pg_temp.problem(codes), body, format('The problem of %s', codes))
from (
  values
    (array['alice', 'b b'],
      '{"code": "account_code_malformed", "account": "b b", "posting_no": 2}'),
    (array['nobody', 'b b'],
      '{"code": "account_code_malformed", "account": "b b", "posting_no": 2}'),
    (array['alice', 'nobody', 'no-one'],
      '{"code": "unknown_account", "account": "nobody", "posting_no": 2}'),
    (array['eva', 'nobody'],
      '{"code": "unknown_account", "account": "nobody", "posting_no": 2}'),
    (array['closed', 'eva', 'world-eur'],
      '{"code": "currency_mismatch", "account": "eva", "currency": "USD", "posting_no": 2, '
      '"account_currency": "EUR"}'),
    (array['frozen', 'closed'],
      '{"code": "account_closed", "account": "closed", "posting_no": 2}'),
    (array['alice', 'frozen'],
      '{"code": "account_frozen", "account": "frozen", "posting_no": 2}')
) as problems (codes, body);
select is(
  pg_temp.problem(array['alice', 'bob'], 'USD', array['bob']),
  '{"code": "account_busy", "account": "bob", "posting_no": 2}',
  'An account that is there but was not locked is busy'
);
select is(
  pg_temp.problem(array['frozen', 'bob'], 'USD', array['bob']),
  '{"code": "account_busy", "account": "bob", "posting_no": 2}',
  'What is busy may change: that goes before a refusal'
);
select is(
  pg_temp.problem(array['alice', 'bob'], 'USD', '{}', 77),
  '{"code": "unknown_ledger", "ledger_id": 77}', 'A ledger that is not there'
);
select is(
  pg_temp.problem(array['alice', 'bob'], 'usd')::jsonb ->> 'code', 'currency_malformed',
  'A currency that is none'
);

select * from finish();
rollback;
