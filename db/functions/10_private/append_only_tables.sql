-- The tables that hold history, partitions included; name is that of the parent.
create or replace function ledger_private.append_only_tables()
returns table (relation regclass, name text, is_partition boolean)
language sql
stable
as $$
  with tables as (
    select c.oid, c.relname
    from pg_catalog.pg_class c
    where c.relnamespace = 'ledger'::regnamespace
      and c.relname in (
        'payments', 'ledger_entries', 'idempotency_keys', 'accounts', 'account_changes',
        'feed_epochs'
      )
  )
  select oid::regclass, relname::text, false
  from tables
  union all
  select i.inhrelid::regclass, t.relname::text, true
  from tables t
  join pg_catalog.pg_inherits i on i.inhparent = t.oid
$$;
