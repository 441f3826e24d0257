-- Rights beyond those on history: what PUBLIC has, and who may create objects in our schemas.
create or replace function ledger_private.check_installation_rights()
returns table (problem text, subject text, detail text)
language sql
stable
as $$
  with grants as (
    select 'schema ' || n.nspname as subject, a.grantee, a.privilege_type, n.nspowner as owner
    from pg_catalog.pg_namespace n
    cross join aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
    where n.nspname in ('ledger', 'ledger_private')
    union all
    select 'table ' || c.oid::regclass, a.grantee, a.privilege_type, c.relowner
    from pg_catalog.pg_class c
    cross join aclexplode(c.relacl) a
    where c.relnamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
    union all
    select 'table ' || c.oid::regclass, a.grantee, a.privilege_type, c.relowner
    from pg_catalog.pg_class c
    join pg_catalog.pg_attribute t on t.attrelid = c.oid
    cross join aclexplode(t.attacl) a
    where t.attacl is not null
      and c.relnamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
    union all
    -- No ACL at all is the default one, which gives PUBLIC the right to execute.
    select 'function ' || p.oid::regprocedure, a.grantee, a.privilege_type, p.proowner
    from pg_catalog.pg_proc p
    cross join aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    where p.pronamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
  )
  select 'granted_to_public', subject, privilege_type
  from grants
  where grantee = 0
  union all
  select 'may_create_in_schema', subject, pg_get_userbyid(grantee)::text
  from grants
  where privilege_type = 'CREATE'
    and grantee not in (0, owner)
$$;
