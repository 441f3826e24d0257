-- Builds a table apart that can be attached to payments or ledger_entries, with what only
-- partitions have: an account's versions are unique, and TRUNCATE is refused.
create or replace function ledger_private.build_partition(p_parent text, p_name text)
returns void
language plpgsql
volatile
as $$
begin
  execute format('create table ledger.%I (like ledger.%I including all)', p_name, p_parent);
  execute format('alter table ledger.%I owner to ledger_owner', p_name);
  if p_parent = 'ledger_entries' then
    execute format(
      'create unique index %I on ledger.%I (account_id, version)',
      p_name || '_version_is_unique', p_name
    );
  end if;
  execute format(
    'create trigger refuse_truncate before truncate on ledger.%I '
    'for each statement execute function ledger_private.refuse_change()',
    p_name
  );
  execute format('alter table ledger.%I enable always trigger refuse_truncate', p_name);
end
$$;
