begin;
select plan(3);

select is(
  (select count(*) from ledger.replica_position()), 1::bigint,
  'There is a row, whether or not there ever was a relay'
);
select is(
  (select lsn from ledger.replica_position()), null,
  'A primary replays nothing: the rest needs a standby, see tests/cache/'
);
update ledger_private.relay_lease
set term = 1, holder = 'h', taken_at = clock_timestamp(), generation = 'some generation';
select is(
  (select generation from ledger.replica_position()), 'some generation',
  'It tells the generation in the lease'
);

select * from finish();
rollback;
