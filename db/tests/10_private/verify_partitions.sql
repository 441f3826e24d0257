begin;
select plan(6);
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
insert into ledger.ledger_entries
  (payment_id, account_id, version, ledger_id, posting_no, amount, held, balance_after, held_after)
select ('00000000-0000-0000-0000-00000000000' || n)::uuid, 1, n, 1, 1, 1, 0, 1, 0
from generate_series(1, 3) n;
select bag_eq(
  'select * from ledger_private.verify_partitions(null, null, null)',
  $$
    select
      'rows_in_default_partition' as breach, 1 as ledger_id, 'partition ' || partition as subject,
      '{"rows": 3, "payment_id": "00000000-0000-0000-0000-000000000001"}'::jsonb as detail
    from unnest(array['ledger.payments_default', 'ledger.ledger_entries_default']) partition
  $$,
  'Rows of the default partition are counted'
);
select bag_eq(
  $$
    select subject, detail ->> 'rows'
    from ledger_private.verify_partitions(
      1, '00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003'
    )
  $$,
  $$
    values
      ('partition ledger.payments_default', '1'), ('partition ledger.ledger_entries_default', '1')
  $$,
  'Only those in the range, its end not included'
);

select is_empty(
  'select * from ledger_private.verify_partitions(2, null, null)', 'Only of the ledger asked for'
);

-- A constraint said to be valid keeps ATTACH from looking at the rows: it takes one too early, one
-- that belongs, and one too late.
create table ledger.payments_forged (like ledger.payments including all);
insert into ledger.payments_forged (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
select ('00000000-0000-0000-0000-0000000000' || n)::uuid, now(), 1, 1, 'stray', '{}'
from unnest(array['0f', '10', '20']) n;
alter table ledger.payments_forged
add constraint forged check (
  payment_id >= '00000000-0000-0000-0000-000000000010'
  and payment_id < '00000000-0000-0000-0000-000000000020'
) not valid;
update pg_constraint set convalidated = true where conname = 'forged';
alter table ledger.payments_forged set (fillfactor = 100);
alter table ledger.payments
attach partition ledger.payments_forged
for values from ('00000000-0000-0000-0000-000000000010')
to ('00000000-0000-0000-0000-000000000020');
select bag_eq(
  $$
    select ledger_id, subject, detail
    from ledger_private.verify_partitions(null, null, null)
    where breach = 'rows_in_wrong_partition'
  $$,
  $$
    values (
      1, 'partition ledger.payments_forged',
      '{"rows": 2, "payment_id": "00000000-0000-0000-0000-00000000000f"}'::jsonb
    )
  $$,
  'Rows outside the bounds of their partition are found'
);

select * from finish();
rollback;
