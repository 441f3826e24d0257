-- The two logins that payledger needs, and its database. Run once by a superuser, with psql 15 or
-- newer; safe to run again (it then sets the passwords anew):
--
--   PAYLEDGER_MIGRATOR_PASSWORD=... PAYLEDGER_SERVICE_PASSWORD=... psql -X -f logins.sql
--
-- payledger_migrator owns the database and installs: no superuser, but CREATEROLE, for the group
-- roles. payledger_service is the HTTP service's login: it may call functions, and nothing else.

\set ON_ERROR_STOP on
\getenv migrator_password PAYLEDGER_MIGRATOR_PASSWORD
\getenv service_password PAYLEDGER_SERVICE_PASSWORD
\if :{?migrator_password}
\else
  do $$ begin raise exception 'PAYLEDGER_MIGRATOR_PASSWORD is not set'; end $$;
\endif
\if :{?service_password}
\else
  do $$ begin raise exception 'PAYLEDGER_SERVICE_PASSWORD is not set'; end $$;
\endif

-- The group roles that logins join. `payledger migrate` makes those that are missing.
select format('create role %I nologin', name)
from unnest(array['ledger_app', 'ledger_relay', 'ledger_admin']) as name
where not exists (select from pg_roles where rolname = name) \gexec

select format('create role %I', name)
from unnest(array['payledger_migrator', 'payledger_service']) as name
where not exists (select from pg_roles where rolname = name) \gexec

alter role payledger_migrator
  login createrole nosuperuser nocreatedb password :'migrator_password';
alter role payledger_service
  login nocreaterole nosuperuser nocreatedb password :'service_password';
grant ledger_admin to payledger_migrator;
grant ledger_app, ledger_relay to payledger_service;

-- One idle transaction makes a busy account slower and slower, so none may stay idle. Settings of
-- group roles are not inherited: they have to be the login's own.
alter role payledger_service set statement_timeout = '30s';
alter role payledger_service set lock_timeout = '5s';
alter role payledger_service set idle_in_transaction_session_timeout = '10s';
select $$alter role payledger_service set transaction_timeout = '60s'$$
where current_setting('server_version_num')::int >= 170000 \gexec

select 'create database payledger owner payledger_migrator encoding ''UTF8'' template template0'
where not exists (select from pg_database where datname = 'payledger') \gexec
