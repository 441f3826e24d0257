begin;
select plan(1);

select is(ledger_private.lease_length(), interval '2 seconds', 'A lease runs for two seconds');

select * from finish();
rollback;
