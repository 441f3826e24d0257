-- Promise 4, rights: on history there are no rights but to read and to append. Only ledger_writer
-- appends, and never a xid or its epoch; it changes of an account what changes,
-- never what identifies it. Only ledger_purger deletes, and only keys (to lock them first it needs
-- the right to update a column of theirs, which a trigger keeps it from using).
create or replace function ledger_private.append_only_grants()
returns table (problem text, subject text, detail jsonb)
language sql
stable
as $$
  with grants as (
    select t.relation, t.name, t.is_partition, null::text as column_name, c.relowner, a.*
    from ledger_private.append_only_tables() t
    join pg_catalog.pg_class c on c.oid = t.relation
    cross join aclexplode(c.relacl) a
    union all
    select t.relation, t.name, t.is_partition, c.attname::text, r.relowner, a.*
    from ledger_private.append_only_tables() t
    join pg_catalog.pg_class r on r.oid = t.relation
    join pg_catalog.pg_attribute c on c.attrelid = t.relation
    cross join aclexplode(c.attacl) a
    where c.attacl is not null
  ),
  named as (
    select
      *,
      case when grantee = 0 then 'PUBLIC' else pg_get_userbyid(grantee)::text end as role
    from grants
    where grantee <> relowner
  )
  select
    'right_to_write_history',
    'table ' || relation,
    jsonb_strip_nulls(
      jsonb_build_object('role', role, 'privilege', privilege_type, 'column', column_name)
    )
  from named
  where (
    privilege_type = 'SELECT'
    or not is_partition and case
      when privilege_type = 'INSERT'
        then role = 'ledger_writer'
          and (
            name in ('ledger_entries', 'idempotency_keys')
            or column_name not in ('xid', 'feed_epoch')
          )
      when privilege_type = 'UPDATE' and name = 'accounts'
        then role = 'ledger_writer'
          and column_name in (
            'balance', 'held', 'version', 'status', 'min_balance', 'max_balance', 'metadata'
          )
      when privilege_type = 'UPDATE' and name = 'idempotency_keys'
        then role = 'ledger_purger' and column_name = 'created_at'
      when privilege_type = 'DELETE' and name = 'idempotency_keys'
        then role = 'ledger_purger'
      else false
    end
  ) is not true
$$;
