begin;
select plan(5);

select term from ledger.take_relay_lease('a', 'g') \gset
select lives_ok(format('select ledger.release_relay_lease(%s)', :term - 1), 'An earlier term');
select is(taken, false, 'releases nothing') from ledger.take_relay_lease('b', 'g');
select lives_ok(format('select ledger.release_relay_lease(%s)', :term), 'The holder''s term');
select is(ledger_private.tell_listeners(:term, 'g', 'c', '{}'), false, 'is over then');
select is(format('%s %s', taken, term), format('t %s', :term + 1), 'and another one begins at once')
from ledger.take_relay_lease('b', 'g');

select * from finish();
rollback;
