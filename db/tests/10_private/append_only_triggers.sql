begin;
select plan(5);

select is_empty('select * from ledger_private.append_only_triggers()', 'As installed');

savepoint installed;
do $$
declare
  v_trigger record;
begin
  for v_trigger in
    select tgrelid::regclass as relation, tgname
    from pg_trigger
    where tgfoid = 'ledger_private.refuse_change'::regproc and tgparentid = 0
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.relation);
  end loop;
end
$$;
select bag_eq(
  $$
    select problem, subject, array_agg(detail ->> 'operation' order by detail ->> 'operation')
    from ledger_private.append_only_triggers()
    group by problem, subject
  $$,
  $$
    select
      'trigger_missing' as problem,
      'table ' || relation as subject,
      case name
        when 'accounts' then array['DELETE', 'TRUNCATE']
        else array['DELETE', 'TRUNCATE', 'UPDATE']
      end as operations
    from ledger_private.append_only_tables()
  $$,
  'Every table and partition refuses every change'
);

-- There, but not as strong as it must be.
rollback to installed;
alter table ledger.account_changes disable trigger refuse_change;
alter table ledger.account_changes enable trigger refuse_truncate;
alter table ledger.payments_default enable replica trigger refuse_truncate;
create or replace trigger refuse_change before update or delete on ledger.feed_epochs
for each row when (old.feed_epoch > 0) execute function ledger_private.refuse_change();
alter table ledger.feed_epochs enable always trigger refuse_change;
create or replace trigger refuse_change before update of key, outcome on ledger.idempotency_keys
for each row execute function ledger_private.refuse_change();
alter table ledger.idempotency_keys enable always trigger refuse_change;
create or replace trigger refuse_delete before delete on ledger.idempotency_keys
for each row when (current_user not in ('ledger_purger', 'ledger_app'))
execute function ledger_private.refuse_change();
alter table ledger.idempotency_keys enable always trigger refuse_delete;
create or replace trigger refuse_truncate after truncate on ledger.idempotency_keys
for each statement execute function ledger_private.refuse_change();
alter table ledger.idempotency_keys enable always trigger refuse_truncate;
create or replace trigger refuse_delete before delete on ledger.accounts
for each statement execute function ledger_private.refuse_change();
alter table ledger.accounts enable always trigger refuse_delete;
create or replace trigger refuse_truncate before truncate on ledger.accounts
for each statement execute function suppress_redundant_updates_trigger();
alter table ledger.accounts enable always trigger refuse_truncate;
select bag_eq(
  $$
    select subject, detail ->> 'operation'
    from ledger_private.append_only_triggers()
    where problem <> 'foreign_trigger'
  $$,
  $$
    values
      ('table ledger.account_changes', 'UPDATE'), ('table ledger.account_changes', 'DELETE'),
      ('table ledger.account_changes', 'TRUNCATE'), ('table ledger.payments_default', 'TRUNCATE'),
      ('table ledger.feed_epochs', 'UPDATE'), ('table ledger.feed_epochs', 'DELETE'),
      ('table ledger.idempotency_keys', 'UPDATE'), ('table ledger.idempotency_keys', 'DELETE'),
      ('table ledger.idempotency_keys', 'TRUNCATE'), ('table ledger.accounts', 'DELETE'),
      ('table ledger.accounts', 'TRUNCATE')
  $$,
  'Not so: off, not always, with another condition, of some columns, afterwards, another function'
);
select bag_eq(
  $$
    select subject, detail
    from ledger_private.append_only_triggers()
    where problem = 'foreign_trigger'
  $$,
  $$values ('table ledger.accounts', '{"trigger": "refuse_truncate"}'::jsonb)$$,
  'Triggers that are none of ours are found'
);

rollback to installed;
alter table ledger.account_changes disable trigger all;
alter table ledger.account_changes enable always trigger refuse_change;
alter table ledger.account_changes enable always trigger refuse_truncate;
create rule probe as on insert to ledger.payments_default do instead nothing;
select bag_eq(
  $$
    select problem, subject, regexp_replace(detail::text, '\d+', '...', 'g')
    from ledger_private.append_only_triggers()
  $$,
  $$
    values
      ('foreign_key_disabled', 'table ledger.account_changes',
        '{"trigger": "RI_ConstraintTrigger_c_..."}'),
      ('foreign_key_disabled', 'table ledger.account_changes',
        '{"trigger": "RI_ConstraintTrigger_c_..."}'),
      ('rewrite_rule', 'table ledger.payments_default', '{"rule": "probe"}')
  $$,
  'So are foreign keys that are off, and rules'
);

select * from finish();
rollback;
