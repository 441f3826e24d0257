-- Promise 4, triggers: on every table of history and on each of its partitions a trigger refuses
-- UPDATE, DELETE and TRUNCATE, always: also under session_replication_role = replica, on every
-- column, without a condition (but ledger_purger may delete keys). And nothing else interferes.
create or replace function ledger_private.append_only_triggers()
returns table (problem text, subject text, detail jsonb)
language sql
stable
as $$
  with required (name, operation, type_bit, condition) as (
    -- pg_trigger.tgtype: 1 for each row, 2 before, 8 delete, 16 update, 32 truncate.
    values
      ('payments', 'UPDATE', 16, null),
      ('payments', 'DELETE', 8, null),
      ('payments', 'TRUNCATE', 32, null),
      ('ledger_entries', 'UPDATE', 16, null),
      ('ledger_entries', 'DELETE', 8, null),
      ('ledger_entries', 'TRUNCATE', 32, null),
      ('account_changes', 'UPDATE', 16, null),
      ('account_changes', 'DELETE', 8, null),
      ('account_changes', 'TRUNCATE', 32, null),
      ('feed_epochs', 'UPDATE', 16, null),
      ('feed_epochs', 'DELETE', 8, null),
      ('feed_epochs', 'TRUNCATE', 32, null),
      ('idempotency_keys', 'UPDATE', 16, null),
      ('idempotency_keys', 'DELETE', 8, $c$ WHEN ((CURRENT_USER <> 'ledger_purger'::name)) $c$),
      ('idempotency_keys', 'TRUNCATE', 32, null),
      ('accounts', 'DELETE', 8, null),
      ('accounts', 'TRUNCATE', 32, null)
  )
  select
    'trigger_missing',
    'table ' || t.relation,
    jsonb_build_object('operation', r.operation)
  from ledger_private.append_only_tables() t
  join required r using (name)
  where not exists (
    select
    from pg_catalog.pg_trigger g
    where g.tgrelid = t.relation
      and g.tgfoid = to_regprocedure('ledger_private.refuse_change()')
      and g.tgenabled = 'A'
      and g.tgtype & r.type_bit <> 0
      and g.tgtype & 3 = case when r.operation = 'TRUNCATE' then 2 else 3 end
      and cardinality(g.tgattr::int2[]) = 0
      and (g.tgqual is null or strpos(pg_get_triggerdef(g.oid), r.condition) > 0)
  )
  union all
  select 'foreign_trigger', 'table ' || t.relation, jsonb_build_object('trigger', g.tgname)
  from ledger_private.append_only_tables() t
  join pg_catalog.pg_trigger g on g.tgrelid = t.relation
  join pg_catalog.pg_proc p on p.oid = g.tgfoid
  where not g.tgisinternal
    and p.pronamespace <> 'ledger_private'::regnamespace
  union all
  select 'foreign_key_disabled', 'table ' || t.relation, jsonb_build_object('trigger', g.tgname)
  from ledger_private.append_only_tables() t
  join pg_catalog.pg_trigger g on g.tgrelid = t.relation
  where g.tgisinternal
    and g.tgenabled not in ('O', 'A')
  union all
  select 'rewrite_rule', 'table ' || t.relation, jsonb_build_object('rule', r.rulename)
  from ledger_private.append_only_tables() t
  join pg_catalog.pg_rewrite r on r.ev_class = t.relation
$$;
