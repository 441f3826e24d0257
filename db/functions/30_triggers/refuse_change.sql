-- History is append-only, also for its owner: ENABLE ALWAYS, so that session_replication_role does
-- not switch these off. Row triggers on a partitioned parent are cloned to every partition;
-- TRUNCATE triggers are not, so build_partition makes them.
create or replace function ledger_private.refuse_change()
returns trigger
language plpgsql
as $$
begin
  perform ledger_private.raise_error(
    jsonb_build_object(
      'code', 'history_is_append_only', 'table', tg_table_name, 'operation', tg_op
    )
  );
  return null;
end
$$;

do $do$
declare
  v_table text;
begin
  foreach v_table in array array[
    'payments', 'ledger_entries', 'account_changes', 'feed_epochs'
  ] loop
    execute format(
      'create or replace trigger refuse_change before update or delete on ledger.%I '
      'for each row execute function ledger_private.refuse_change()',
      v_table
    );
  end loop;

  -- Keys are never changed, and leave only through ledger.purge_idempotency_keys.
  create or replace trigger refuse_change
  before update on ledger.idempotency_keys
  for each row execute function ledger_private.refuse_change();

  create or replace trigger refuse_delete
  before delete on ledger.idempotency_keys
  for each row
  when (current_user <> 'ledger_purger')
  execute function ledger_private.refuse_change();

  create or replace trigger refuse_delete
  before delete on ledger.accounts
  for each row execute function ledger_private.refuse_change();

  foreach v_table in array array[
    'payments', 'ledger_entries', 'account_changes', 'feed_epochs', 'idempotency_keys', 'accounts'
  ] loop
    execute format(
      'create or replace trigger refuse_truncate before truncate on ledger.%I '
      'for each statement execute function ledger_private.refuse_change()',
      v_table
    );
    execute format('alter table ledger.%I enable always trigger refuse_truncate', v_table);
    if v_table <> 'accounts' then
      execute format('alter table ledger.%I enable always trigger refuse_change', v_table);
    end if;
  end loop;
  alter table ledger.idempotency_keys enable always trigger refuse_delete;
  alter table ledger.accounts enable always trigger refuse_delete;
end
$do$;
