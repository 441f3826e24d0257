begin;
select plan(2);

select is_empty('select * from ledger_private.append_only_problems()', 'As installed');

alter table ledger.accounts owner to ledger_writer;
grant truncate on ledger.accounts to ledger_app;
drop trigger refuse_delete on ledger.accounts;
alter table ledger.accounts enable row level security;
grant ledger_owner to ledger_app;
select bag_eq(
  'select distinct problem from ledger_private.append_only_problems()',
  $$
    values
      ('table_owner_differs'), ('right_to_write_history'), ('trigger_missing'), ('row_security'),
      ('stranger_in_owning_role')
  $$,
  'Owners, rights, triggers, storage and members'
);

select * from finish();
rollback;
