begin;
select plan(3);

select is_empty('select * from ledger_private.append_only_grants()', 'As installed');
grant select on ledger.payments, ledger.payments_default to ledger_app;
grant insert, update, delete, truncate on ledger.currencies, ledger.api_keys to ledger_app;
select is_empty(
  'select * from ledger_private.append_only_grants()', 'Reading is free; so is what is no history'
);

-- What the one role may do, another may not, nor may it on another table, column or partition.
grant insert (payment_id, xid) on ledger.payments to ledger_writer;
grant insert (payment_id) on ledger.payments to ledger_app;
grant insert (payment_id) on ledger.payments_default to ledger_writer;
grant update (balance) on ledger.accounts to ledger_app;
grant update (balance, currency) on ledger.accounts to ledger_writer;
grant update (created_at, key) on ledger.idempotency_keys to ledger_purger;
grant update (created_at) on ledger.idempotency_keys to ledger_writer;
grant delete on ledger.idempotency_keys, ledger.account_changes to ledger_purger;
grant delete on ledger.idempotency_keys to ledger_admin;
grant insert, update, delete, truncate, references, trigger on ledger.feed_epochs to ledger_writer;
grant references (balance) on ledger.accounts to ledger_writer;
grant truncate on ledger.idempotency_keys to ledger_purger;
grant truncate on ledger.ledger_entries to public;
select bag_eq(
  $$
    select
      problem,
      concat_ws(' ', subject, detail ->> 'role', detail ->> 'privilege', detail ->> 'column')
    from ledger_private.append_only_grants()
  $$,
  $$
    select 'right_to_write_history' as problem, 'table ledger.' || what as found
    from unnest(array[
      'payments ledger_writer INSERT xid',
      'payments ledger_app INSERT payment_id',
      'payments_default ledger_writer INSERT payment_id',
      'accounts ledger_app UPDATE balance',
      'accounts ledger_writer UPDATE currency',
      'idempotency_keys ledger_purger UPDATE key',
      'idempotency_keys ledger_writer UPDATE created_at',
      'account_changes ledger_purger DELETE',
      'idempotency_keys ledger_admin DELETE',
      'feed_epochs ledger_writer INSERT',
      'feed_epochs ledger_writer UPDATE',
      'feed_epochs ledger_writer DELETE',
      'feed_epochs ledger_writer TRUNCATE',
      'feed_epochs ledger_writer REFERENCES',
      'feed_epochs ledger_writer TRIGGER',
      'accounts ledger_writer REFERENCES balance',
      'idempotency_keys ledger_purger TRUNCATE',
      'ledger_entries PUBLIC TRUNCATE'
    ]) what
  $$,
  'Every other right to write is found'
);

select * from finish();
rollback;
