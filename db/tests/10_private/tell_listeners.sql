begin;
select plan(11);

-- What is heard is shown in tests/relay: nothing is, before a commit.
select is(ledger_private.tell_listeners(0, 'g', 'c', '{m}'), false, 'Nobody leads, nobody tells');
select term from ledger.take_relay_lease('a', 'g1') \gset
select is(ledger_private.tell_listeners(:term, 'g2', 'c', '{m, n}'), true, 'Who leads tells');
select is(generation, 'g1', 'A lease that has just been taken is not written again')
from ledger_private.relay_lease;
select is(
  ledger_private.tell_listeners(:term - 1, 'g', 'c', '{m}'), false, 'An earlier term tells nothing'
);
select is(ledger_private.tell_listeners(:term + 1, 'g', 'c', '{m}'), false, 'nor does one to come');

update ledger_private.relay_lease set expires_at = clock_timestamp() + interval '0.9 seconds';
select is(
  ledger_private.tell_listeners(:term, 'g2', 'c', '{}'), true, 'When half the lease is over'
);
select ok(
  expires_at > clock_timestamp() + interval '1.5 seconds' and (term, generation) = (:term, 'g2'),
  'it is prolonged, and the generation noted'
)
from ledger_private.relay_lease;

update ledger_private.relay_lease set expires_at = clock_timestamp();
select is(
  ledger_private.tell_listeners(:term, 'g3', 'c', '{m}'), false,
  'When it is over, nothing is told any more'
);
select ok(expires_at <= clock_timestamp() and generation = 'g2', 'nor is it prolonged')
from ledger_private.relay_lease;

update ledger_private.relay_lease set expires_at = clock_timestamp() + interval '1.9 seconds';
select throws_ok(
  format(
    'select ledger_private.tell_listeners(%s, %L, %L, array[%L])', :term, 'g', 'c', repeat('x', 8000)
  ),
  '22023', null, 'A message that is too long is refused by PostgreSQL'
);
select is(
  ledger_private.tell_listeners(:term, 'g', 'c', array[repeat('x', 7500)]), true,
  '7500 bytes are not'
);

select * from finish();
rollback;
