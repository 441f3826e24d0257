begin;
select plan(6);

select is(
  ledger_private.is_lease_running(clock_timestamp() + expires_in), runs,
  format('A lease that expires in %s runs: %s', expires_in, runs)
)
from (
  values
    (interval '1 second', true), ('1.9 seconds', true), ('-1 second', false), ('-1 day', false),
    ('3 seconds', false)  -- the clock was set back: nobody waits until it has caught up
) as leases (expires_in, runs);
select is(ledger_private.is_lease_running('-infinity'), false, 'A lease never taken does not run');

select * from finish();
rollback;
