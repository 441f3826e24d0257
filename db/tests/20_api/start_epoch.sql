begin;
select plan(9);
select tests.open_accounts();

create temporary table epochs as select max(feed_epoch) as before from ledger.feed_epochs;
alter table epochs add started int;
update epochs set started = ledger.start_epoch('restored the backup of Monday');
select cmp_ok(started, '>', before, 'The new epoch has a higher number') from epochs;
select is(
  row(e.system_identifier, e.timeline, e.reason, e.started_by)::text,
  row(
    c.system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
    'restored the backup of Monday', session_user
  )::text,
  'It names the history it was started on, why and by whom'
)
from epochs
join ledger.feed_epochs e on e.feed_epoch = started
cross join pg_control_system() c;
create temporary table posted as
select * from ledger.post_payment('k', 'alice', 'bob', 1, 'USD');
select is(feed_epoch, started, 'Payments belong to it from now on')
from epochs, posted join ledger.payments p using (payment_id);
select is(
  (select count(*) from ledger.payments, epochs where feed_epoch = before), 2::bigint,
  'Earlier ones still belong to theirs'
);
select tests.books();
select is(
  (
    select array_agg(l.mode order by l.mode)
    from pg_locks l
    where l.pid = pg_backend_pid()
      and l.relation = 'ledger.payments'::regclass
      and l.mode like 'Access%Exclusive%'
  ),
  array['AccessExclusiveLock'], 'It keeps everybody from posting until it is committed'
);

select tests.remember();
select tests.raises(
  format('select ledger.start_epoch(%L)', reason),
  '{"code": "argument_invalid", "reason": "null or empty", "argument": "p_reason"}',
  'An epoch needs a reason: ' || coalesce(quote_literal(reason), 'null')
)
from unnest(array['', null]) reason;
select tests.unchanged();

select * from finish();
rollback;
