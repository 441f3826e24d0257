-- That a retry waits for a synchronous standby is in tests/concurrency/test_replays_and_standbys.py.
begin;
select plan(5);
select tests.open_accounts();
select from ledger.post_payment('k', 'alice', 'bob', 1, 'USD');

select is(
  ledger_private.replayed_outcome(1, 'k', fingerprint)::text,
  ledger_private.stored_outcome(1, 'k', fingerprint)::text, 'What is stored'
)
from ledger.idempotency_keys where key = 'k';
select is(
  (ledger_private.replayed_outcome(1, 'k', sha256(''))).code, 'key_reused', 'Of other content, too'
);
select is(ledger_private.replayed_outcome(1, 'free', sha256('')), null, 'Nothing of a free key');
create temporary table written as select pg_current_wal_insert_lsn() as before;
select is(
  (ledger_private.replayed_outcome(1, 'k', fingerprint)).replayed, true, 'Without a standby'
)
from ledger.idempotency_keys where key = 'k';
select is(pg_current_wal_insert_lsn(), before, 'nothing is written') from written;

select * from finish();
rollback;
