begin;
select plan(2);

select is_empty('select * from ledger_private.append_only_owners()', 'As installed');

create role probe;
alter schema ledger_private owner to probe;
alter table ledger.payments owner to probe;
alter table ledger.payments_default owner to probe;
alter table ledger.currencies owner to probe;
create view ledger.probe_view as select 1 as one;
create table ledger_private.probe_table ();
alter view ledger.probe_view owner to probe;
alter table ledger_private.probe_table owner to probe;
select bag_eq(
  'select * from ledger_private.append_only_owners()',
  $$
    select problem, subject, '{"found": "probe", "expected": "ledger_owner"}'::jsonb
    from (
      values
        ('schema_owner_differs', 'schema ledger_private'),
        ('table_owner_differs', 'table ledger.payments'),
        ('table_owner_differs', 'table ledger.payments_default'),
        ('table_owner_differs', 'table ledger.currencies'),
        ('table_owner_differs', 'table ledger.probe_view'),
        ('table_owner_differs', 'table ledger_private.probe_table')
    ) found (problem, subject)
  $$,
  'Every schema, table and view belongs to ledger_owner'
);

select * from finish();
rollback;
