-- Promise 4, roles: who is a member of a role that owns history or writes it can do what that role
-- can. Members are superusers (by nature) and the role that migrates: it owns the database or may
-- create roles, and is not the service's login.
create or replace function ledger_private.append_only_members()
returns table (problem text, subject text, detail jsonb)
language sql
stable
as $$
  select 'stranger_in_owning_role', 'role ' || m.rolname, jsonb_build_object('member_of', o.rolname)
  from pg_catalog.pg_roles o
  join pg_catalog.pg_roles m on pg_has_role(m.oid, o.oid, 'MEMBER')
  cross join lateral (
    select m.rolcreaterole or m.oid = d.datdba as migrates
    from pg_catalog.pg_database d
    where d.datname = current_database()
  ) d
  where o.rolname in ('ledger_owner', 'ledger_writer', 'ledger_purger', 'pg_write_all_data')
    and m.oid <> o.oid
    and not m.rolsuper
    and not (
      d.migrates
      and o.rolname <> 'pg_write_all_data'
      and not pg_has_role(m.oid, 'ledger_app', 'USAGE')
      and not pg_has_role(m.oid, 'ledger_relay', 'USAGE')
    )
$$;
