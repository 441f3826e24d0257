-- The ledger's roles are groups without powers of their own; nobody logs in as one.
create or replace function ledger_private.check_installation_roles()
returns table (problem text, subject text, detail text)
language sql
stable
as $$
  with required (role) as (
    values
      ('ledger_owner'), ('ledger_writer'), ('ledger_purger'), ('ledger_lookup'), ('ledger_app'),
      ('ledger_relay'), ('ledger_reader'), ('ledger_auditor'), ('ledger_admin')
  )
  select b.problem, 'role ' || role, b.detail
  from required
  left join pg_catalog.pg_roles r on r.rolname = role
  cross join lateral (
    select 'role_missing', 'run payledger migrate'
    where r.oid is null
    union all
    select 'role_can_log_in', format('alter role %I nologin', role)
    where r.rolcanlogin
    union all
    select
      'role_too_powerful',
      format(
        'alter role %I nosuperuser nocreaterole nocreatedb noreplication nobypassrls', role
      )
    where r.rolsuper or r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls
  ) b (problem, detail)
$$;
