-- Promise 4, owners: both schemas and every table in them belong to ledger_owner, whom the triggers
-- and the missing grants keep from nothing: whoever owns a table can do anything to it. A restore
-- as the wrong role changes owners without a word.
create or replace function ledger_private.append_only_owners()
returns table (problem text, subject text, detail jsonb)
language sql
stable
as $$
  select
    'schema_owner_differs',
    'schema ' || n.nspname,
    jsonb_build_object('expected', 'ledger_owner', 'found', pg_get_userbyid(n.nspowner))
  from pg_catalog.pg_namespace n
  where n.nspname in ('ledger', 'ledger_private')
    and pg_get_userbyid(n.nspowner) <> 'ledger_owner'
  union all
  select
    'table_owner_differs',
    'table ' || c.oid::regclass,
    jsonb_build_object('expected', 'ledger_owner', 'found', pg_get_userbyid(c.relowner))
  from pg_catalog.pg_class c
  where c.relnamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
    and c.relkind in ('r', 'p', 'v', 'm', 'S', 'f')
    and pg_get_userbyid(c.relowner) <> 'ledger_owner'
$$;
