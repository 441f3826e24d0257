begin;
select plan(2);

select is_empty('select * from ledger_private.check_installation_functions()', 'As installed');

create role probe;
grant create on schema ledger to probe;
alter function ledger.get_balance security invoker;
alter function ledger.get_account reset all;
alter function ledger.list_entries set search_path = pg_temp, pg_catalog;
alter function ledger_private.check_ledger security definer;
alter function ledger.list_accounts owner to probe;
alter function ledger.post_payment owner to ledger_owner;
alter function ledger.purge_idempotency_keys owner to ledger_writer;
alter function ledger.maintain_partitions owner to ledger_lookup;
alter function ledger_private.lock_account owner to ledger_writer;
select bag_eq(
  $$
    select problem, regexp_replace(subject, '\(.*', ''), detail
    from ledger_private.check_installation_functions()
  $$,
  $$
    values
      ('function_not_security_definer', 'function ledger.get_balance',
        'runs with the rights of its caller, who has none'),
      ('function_search_path_open', 'function ledger.get_account',
        'needs: set search_path = pg_catalog, pg_temp'),
      ('function_search_path_open', 'function ledger.list_entries',
        'needs: set search_path = pg_catalog, pg_temp'),
      ('function_search_path_open', 'function ledger_private.check_ledger',
        'needs: set search_path = pg_catalog, pg_temp'),
      ('function_owner_differs', 'function ledger.list_accounts',
        'is owned by probe, not by ledger_writer or ledger_lookup'),
      ('function_owner_differs', 'function ledger.post_payment',
        'is owned by ledger_owner, not by ledger_writer or ledger_lookup'),
      ('function_owner_differs', 'function ledger.purge_idempotency_keys',
        'is owned by ledger_writer, not by ledger_purger'),
      ('function_owner_differs', 'function ledger.maintain_partitions',
        'is owned by ledger_lookup, not by ledger_owner'),
      ('function_owner_differs', 'function ledger_private.lock_account',
        'is owned by ledger_writer, not by ledger_owner')
  $$,
  'Functions have their owner''s rights, the right owner and a pinned search_path'
);

select * from finish();
rollback;
