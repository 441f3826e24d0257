begin;
select plan(6);

select is_empty('select * from ledger_private.check_installation_partitions()', 'As installed');

-- A stray before all partitions, after them, and between two.
savepoint installed;
create function pg_temp.stray(p_at timestamptz)
returns void
language sql
as $$
  insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
  values (ledger_private.payment_id_at(p_at), now(), 1, 1, 'stray', '{}');
$$;
savepoint installed;
select from pg_temp.stray('1999-01-01Z');
select bag_eq(
  'select problem, subject from ledger_private.check_installation_partitions()',
  $$values ('default_partition_in_use', 'table ledger.payments')$$,
  'A row of a time before the partitions is found'
);
rollback to installed;
select from pg_temp.stray('2999-01-01Z');
select is(
  (select count(*) from ledger_private.check_installation_partitions()), 1::bigint,
  'and one of a time after them'
);

rollback to installed;
insert into ledger.ledger_entries
  (payment_id, account_id, version, ledger_id, posting_no, amount, held, balance_after, held_after)
values ('00000000-0000-0000-0000-000000000000', 1, 1, 1, 1, 1, 0, 1, 0);
select bag_eq(
  'select problem, subject from ledger_private.check_installation_partitions()',
  $$values ('default_partition_in_use', 'table ledger.ledger_entries')$$,
  'Entries are looked for as well as payments'
);

rollback to installed;
create temporary table ahead as
select p.partition, p.from_id
from unnest('{ledger.payments,ledger.ledger_entries}'::regclass[]) parent,
  ledger_private.partitions(parent) p
where p.from_id > ledger_private.payment_id_at(now());
do $$
declare
  v_partition regclass;
begin
  for v_partition in
    select partition from ahead
    where partition::text like 'ledger.payments%'
    order by from_id limit 1
  loop
    execute format('drop table %s', v_partition);
  end loop;
end
$$;
select from pg_temp.stray(
  (select min(ledger_private.payment_id_time(from_id)) from ahead) + interval '1 hour'
);
select bag_eq(
  'select problem, subject from ledger_private.check_installation_partitions()',
  $$values ('default_partition_in_use', 'table ledger.payments')$$, 'and one between two'
);

rollback to installed;
create temporary table ahead as
select p.partition
from unnest('{ledger.payments,ledger.ledger_entries}'::regclass[]) parent,
  ledger_private.partitions(parent) p
where p.from_id > ledger_private.payment_id_at(now());
do $$
declare
  v_partition regclass;
begin
  for v_partition in select partition from ahead loop
    execute format('drop table %s', v_partition);
  end loop;
end
$$;
select bag_eq(
  'select problem, subject from ledger_private.check_installation_partitions()',
  $$
    values
      ('partitions_not_ahead', 'table ledger.payments'),
      ('partitions_not_ahead', 'table ledger.ledger_entries')
  $$,
  'A partition for the time to come is missed'
);

select * from finish();
rollback;
