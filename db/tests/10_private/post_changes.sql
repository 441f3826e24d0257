-- The posting path carries changes of what is held too, though nothing makes holds yet. What
-- payments do with it is in 20_api, what happens between transactions in tests/concurrency.
begin;
select plan(12);
select tests.open_accounts();

create function pg_temp.post(p_key text, p_changes ledger_private.change[])
returns ledger.payment_result
language sql
as $$
  select ledger_private.post_changes(
    1, p_key, 'test', array(select distinct code from unnest(p_changes)), p_changes, null, '{}',
    null, true
  )
$$;

select is(
  tests.effect(pg_temp.post('hold', array[(1, 'alice', 'USD', 0, 80)]::ledger_private.change[])),
  '1 alice 0 USD 500>500 v2', 'Holding changes what is available, not the balance'
);
select is(
  row(balance, held, available)::text, '(500,80,420)', 'as get_balance says'
)
from ledger.get_balance('alice');
select tests.books();
select is(
  (ledger.post_payment('k', 'alice', 'bob', 421, 'USD')).code, 'insufficient_funds',
  'A payment cannot have what is held'
);
select is(
  tests.effect(
    pg_temp.post(
      'capture',
      array[(1, 'alice', 'USD', -60, -80), (1, 'bob', 'USD', 60, 0)]::ledger_private.change[]
    )
  ),
  '1 alice -60 USD 500>440 v3, 1 bob 60 USD 0>60 v1', 'Capturing releases and moves'
);
select is(row(balance, held, available)::text, '(440,0,440)', 'in one step')
from ledger.get_balance('alice');
select is(
  (pg_temp.post('hold', array[(1, 'alice', 'USD', 0, 80)]::ledger_private.change[])).replayed, true,
  'Each under a key that answers for it'
);
select is(
  (pg_temp.post('hold', array[(1, 'alice', 'USD', 0, 81)]::ledger_private.change[])).code,
  'key_reused', 'alone'
);
select is(
  (select kind from ledger.payments join ledger.idempotency_keys using (payment_id) where key = 'hold'),
  'test', 'The payment is of the kind it is'
);
select tests.books();

select throws_ok(
  $$select pg_temp.post('released', array[(1, 'alice', 'USD', 0, -1)]::ledger_private.change[])$$,
  '23514', null, 'What is held is never below zero'
);
select tests.books();

select * from finish();
rollback;
