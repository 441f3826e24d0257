begin;
select plan(2);

select is_empty('select * from ledger_private.check_installation_roles()', 'As installed');

alter role ledger_app login;
alter role ledger_writer superuser;
alter role ledger_lookup bypassrls;
alter role ledger_admin createrole;
alter role ledger_relay replication;
alter role ledger_purger createdb;
alter role ledger_auditor rename to probe;
select bag_eq(
  'select * from ledger_private.check_installation_roles()',
  $$
    select
      'role_too_powerful' as problem, 'role ' || role as subject,
      format(
        'alter role %I nosuperuser nocreaterole nocreatedb noreplication nobypassrls', role
      ) as detail
    from unnest(
      array['ledger_writer', 'ledger_lookup', 'ledger_admin', 'ledger_relay', 'ledger_purger']
    ) role
    union all
    values
      ('role_can_log_in', 'role ledger_app', 'alter role ledger_app nologin'),
      ('role_missing', 'role ledger_auditor', 'run payledger migrate')
  $$,
  'The roles are there, and groups'
);

select * from finish();
rollback;
