begin;
select plan(4);
select tests.open_accounts();

select is_empty('select * from ledger_private.verify_partitions(null, null, null)', 'Sound');

create table ledger.ledger_entries_open (like ledger.ledger_entries including all);
alter table ledger.ledger_entries
attach partition ledger.ledger_entries_open for values from (minvalue)
to ('00000000-0000-0000-0000-000000000001');
insert into ledger.ledger_entries
  (payment_id, account_id, version, ledger_id, posting_no, amount, held, balance_after, held_after)
values ('00000000-0000-0000-0000-000000000000', 1, 1, 1, 1, 1, 0, 1, 0);
select is_empty(
  'select * from ledger_private.verify_partitions(null, null, null)', 'A bound may be open'
);

insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
select ('00000000-0000-0000-0000-00000000000' || n)::uuid, now(), 1, 1, 'stray', '{}'
from generate_series(1, 3) n;
select bag_eq(
  'select * from ledger_private.verify_partitions(null, null, null)',
  $$
    values (
      'rows_in_default_partition', 1, 'partition ledger.payments_default',
      '{"rows": 3, "payment_id": "00000000-0000-0000-0000-000000000001"}'::jsonb
    )
  $$,
  'Rows of the default partition are counted'
);
select bag_eq(
  $$
    select detail ->> 'rows'
    from ledger_private.verify_partitions(
      1, '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003'
    )
  $$,
  $$values ('1')$$, 'Only those in the range, its end not included'
);

select * from finish();
rollback;
