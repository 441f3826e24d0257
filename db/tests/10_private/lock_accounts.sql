-- How it waits, and in what order, is in tests/concurrency.
begin;
select plan(7);
select tests.open_accounts();

select is(
  (
    select string_agg(format('%s %s v%s %s', code, balance, version, min_balance), ', ')
    from unnest(ledger_private.lock_accounts(1, array['bob', 'world', 'alice', 'bob'], wait))
  ),
  'alice 500 v1 0, bob 0 v0 0, world -500 v1 ', 'Each account once, in the order of their codes'
)
from unnest(array[true, false]) wait;
select is(
  ledger_private.lock_accounts(ledger_id, codes, true), '{}',
  format('No account: %s in ledger %s', codes, ledger_id)
)
from (values (1, array['nobody', null]), (1, '{}'), (1, null), (2, array['alice'])) none (ledger_id, codes);
select is(
  array_length(ledger_private.lock_accounts(1, array['alice', 'nobody'], true), 1), 1,
  'Those that are there, of those that are not'
);

select * from finish();
rollback;
