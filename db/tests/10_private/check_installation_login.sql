begin;
select plan(4);

select bag_eq(
  'select * from ledger_private.check_installation_login()',
  format(
    $$values ('login_is_superuser', %L, %L)$$, 'role ' || session_user,
    'nothing keeps it from changing history: use another login'
  ),
  'A superuser is one of everything, so a service, too'
);

create role probe_service createdb login;
create role probe_person createdb login;
create role probe_group login;
grant ledger_app to probe_service, probe_group;
grant ledger_reader, ledger_admin to probe_person;
create temporary table found (login text, problem text, subject text, detail text);
grant usage on schema ledger_private to public;
grant execute on function ledger_private.check_installation_login() to public;
grant insert on found to public;

set local session authorization probe_service;
set local statement_timeout = '5s';
insert into found select session_user, * from ledger_private.check_installation_login();
set local session authorization probe_person;
insert into found select session_user, * from ledger_private.check_installation_login();
set local session authorization probe_group;
insert into found select session_user, * from ledger_private.check_installation_login();
set local session authorization default;

select bag_eq(
  $$
    select subject, detail from found where problem = 'login_too_powerful'
  $$,
  $$
    values
      ('role probe_service', 'alter role probe_service nocreaterole nocreatedb noreplication '
        'nobypassrls')
  $$,
  'A service has no powers of its own'
);
select bag_eq(
  $$select login, problem, subject, detail from found where problem <> 'login_too_powerful'$$,
  $$
    select
      login, 'timeout_missing' as problem, 'role ' || login as subject,
      format('alter role %s set %s = ...', login, s.name) as detail
    from pg_settings s, unnest(array['probe_service', 'probe_group']) login
    where name in ('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
      'transaction_timeout')
  $$,
  'and timeouts that its sessions begin with'
);
select is_empty(
  $$select * from found where login = 'probe_person'$$, 'People who are no service are not judged'
);

select * from finish();
rollback;
