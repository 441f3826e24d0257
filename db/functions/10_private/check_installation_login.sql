-- The login of this session, when it is a service's: a member of ledger_app, or a superuser, who is
-- one of everything (so an administrator who looks in as superuser is told as well). The timeouts
-- are those that its sessions begin with: settings of a group role are not inherited.
create or replace function ledger_private.check_installation_login()
returns table (problem text, subject text, detail text)
language sql
stable
as $$
  select b.problem, 'role ' || r.rolname, b.detail
  from pg_catalog.pg_roles r
  cross join lateral (
    select 'login_is_superuser', 'nothing keeps it from changing history: use another login'
    where r.rolsuper
    union all
    select
      'login_too_powerful',
      format('alter role %I nocreaterole nocreatedb noreplication nobypassrls', r.rolname)
    where not r.rolsuper
      and (r.rolcreaterole or r.rolcreatedb or r.rolreplication or r.rolbypassrls)
    union all
    select 'timeout_missing', format('alter role %I set %s = ...', r.rolname, s.name)
    from pg_catalog.pg_settings s
    where not r.rolsuper
      and s.reset_val = '0'
      and s.name in (
        'idle_in_transaction_session_timeout', 'statement_timeout', 'lock_timeout',
        'transaction_timeout'  -- since PostgreSQL 17
      )
  ) b (problem, detail)
  where r.rolname = session_user
    and pg_has_role(r.oid, 'ledger_app', 'USAGE')
$$;
