begin;
select plan(3);

select is_empty('select * from ledger_private.append_only_members()', 'As installed');

create role probe_migrator createrole;
create role probe_database_owner;
create role probe_superuser superuser;
grant ledger_owner, ledger_writer, ledger_purger
to probe_migrator, probe_database_owner, probe_superuser;
create function pg_temp.own_database(p_role text)
returns void
language plpgsql
as $$
begin
  execute format('alter database %I owner to %I', current_database(), p_role);
end
$$;
select pg_temp.own_database('probe_database_owner');
select is_empty(
  'select * from ledger_private.append_only_members()',
  'Superusers, the owner of the database and who may create roles can be members'
);

create role probe_person;
create role probe_friend in role probe_person;
grant ledger_owner to probe_person;
grant pg_write_all_data to probe_friend, probe_migrator, probe_superuser;
grant ledger_writer to ledger_reader;
grant ledger_purger to ledger_relay;
grant ledger_app to probe_database_owner;
grant ledger_lookup to ledger_app;
create role probe_relay createrole in role ledger_relay, ledger_owner;
select bag_eq(
  $$
    select subject, detail ->> 'member_of'
    from ledger_private.append_only_members()
    where subject not like '%payledger_%'
      and problem = 'stranger_in_owning_role'
  $$,
  $$
    values
      ('role probe_person', 'ledger_owner'), ('role probe_friend', 'ledger_owner'),
      ('role probe_friend', 'pg_write_all_data'), ('role probe_migrator', 'pg_write_all_data'),
      ('role ledger_reader', 'ledger_writer'), ('role ledger_relay', 'ledger_purger'),
      ('role probe_relay', 'ledger_owner'), ('role probe_relay', 'ledger_purger'),
      ('role probe_database_owner', 'ledger_owner'),
      ('role probe_database_owner', 'ledger_writer'),
      ('role probe_database_owner', 'ledger_purger')
  $$,
  'Nobody else, and nobody who is a service, too'
);

select * from finish();
rollback;
