begin;
select plan(5);

create function pg_temp.due(p_milliseconds_ago numeric)
returns boolean
language sql
as $$
  select ledger_private.is_sweep_due(
    floor(extract(epoch from clock_timestamp()) * 1000 - p_milliseconds_ago)::bigint
  )
$$;

select is(pg_temp.due(0), false, 'What was just swept is not swept again');
select is(pg_temp.due(500), true, 'After half a second it is');
select is(ledger_private.is_sweep_due(0), true, 'and after fifty years');
select is(pg_temp.due(-60000), true, 'Nobody waits for a clock that was set back');
select is(ledger_private.is_sweep_due(null), null, 'Who never swept is asked elsewhere');

select * from finish();
rollback;
