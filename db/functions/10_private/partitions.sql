-- The partitions of payments or ledger_entries with their bounds; the default one has none.
create or replace function ledger_private.partitions(p_parent regclass)
returns table (partition regclass, from_id uuid, until_id uuid)
language sql
stable
as $$
  select
    c.oid::regclass,
    substring(pg_get_expr(c.relpartbound, c.oid) from $r$FROM [(]'([0-9a-f-]{36})'[)]$r$)::uuid,
    substring(pg_get_expr(c.relpartbound, c.oid) from $r$TO [(]'([0-9a-f-]{36})'[)]$r$)::uuid
  from pg_inherits i
  join pg_class c on c.oid = i.inhrelid
  where i.inhparent = p_parent
$$;
