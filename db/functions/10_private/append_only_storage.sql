-- Promise 4, tables: all partitions are attached, what is unique has a unique index, every row is
-- written to the log (WAL) and seen by every reader.
create or replace function ledger_private.append_only_storage()
returns table (problem text, subject text, detail jsonb)
language sql
stable
as $$
  with required (name, columns, in_parent) as (
    values
      ('idempotency_keys', '{ledger_id,key}'::name[], true),
      ('accounts', '{account_id}', true),
      ('accounts', '{ledger_id,code}', true),
      ('account_changes', '{ledger_id,account_id,change_id}', true),
      ('payments', '{payment_id}', true),
      -- Not of the parent: it lacks the partition key. verify_versions looks across partitions.
      ('ledger_entries', '{account_id,version}', false)
  )
  select 'unique_index_missing', 'table ' || t.relation, jsonb_build_object('columns', r.columns)
  from ledger_private.append_only_tables() t
  join required r using (name)
  where (t.is_partition or r.in_parent)
    and not exists (
      select
      from pg_catalog.pg_index i
      where i.indrelid = t.relation
        and i.indisunique
        and i.indisvalid
        and i.indimmediate
        and i.indpred is null
        and i.indexprs is null
        and r.columns = array(
          select a.attname
          from unnest(i.indkey::int2[]) with ordinality k (attnum, no)
          join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
          where k.no <= i.indnkeyatts
          order by k.no
        )
    )
  union all
  select 'partition_detached', 'table ' || c.oid::regclass, '{}'
  from pg_catalog.pg_class c
  where c.relnamespace = 'ledger'::regnamespace
    and c.relkind = 'r'
    and not c.relispartition
    and c.relname ~ '^(payments|ledger_entries)_'
  union all
  select
    b.problem, 'table ' || t.relation, b.detail
  from ledger_private.append_only_tables() t
  join pg_catalog.pg_class c on c.oid = t.relation
  cross join lateral (
    select 'table_not_logged', '{}'::jsonb
    where c.relpersistence <> 'p'
    union all
    select 'row_security', '{}'
    where c.relrowsecurity
  ) b (problem, detail)
$$;
