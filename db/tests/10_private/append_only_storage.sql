begin;
select plan(5);

create table public.payments_probe ();
select is_empty('select * from ledger_private.append_only_storage()', 'As installed');

savepoint installed;
alter table ledger.account_changes drop constraint account_changes_pkey;
alter table ledger.idempotency_keys drop constraint idempotency_keys_pkey;
alter table ledger.accounts drop constraint accounts_code_is_unique;
alter table ledger.accounts drop constraint accounts_pkey cascade;
alter table ledger.payments drop constraint payments_pkey;
drop index ledger.ledger_entries_default_version_is_unique;
select bag_eq(
  'select * from ledger_private.append_only_storage()',
  $$
    select
      'unique_index_missing' as problem, 'table ' || relation as subject,
      jsonb_build_object(
        'columns',
        string_to_array(
          columns, ' '
        )
      ) as detail
    from ledger_private.append_only_tables()
    join (
      values
        ('payments', 'payment_id'), ('ledger_entries', 'account_id version'),
        ('accounts', 'account_id'), ('accounts', 'ledger_id code'),
        ('idempotency_keys', 'ledger_id key'), ('account_changes', 'ledger_id account_id change_id')
    ) dropped (name, columns) using (name)
    where name <> 'ledger_entries'
      or relation = 'ledger.ledger_entries_default'::regclass
  $$,
  'What is unique has an index that says so, in every partition'
);

rollback to installed;
alter table ledger.idempotency_keys drop constraint idempotency_keys_pkey;
create unique index on ledger.idempotency_keys (ledger_id, key) where payment_id is not null;
create unique index on ledger.idempotency_keys (ledger_id, lower(key));
create unique index on ledger.idempotency_keys (ledger_id, key, created_at);
create unique index on ledger.idempotency_keys (ledger_id, key, (created_at at time zone 'UTC'));
alter table ledger.idempotency_keys
add constraint probe unique (ledger_id, key) deferrable;
create index on ledger.idempotency_keys (ledger_id, key);
update pg_index set indisvalid = false
where indexrelid = 'ledger.ledger_entries_default_version_is_unique'::regclass;
select bag_eq(
  'select subject from ledger_private.append_only_storage()',
  $$values ('table ledger.idempotency_keys'), ('table ledger.ledger_entries_default')$$,
  'Not so: of some rows, of more or other columns, not unique, not valid, not at once'
);

rollback to installed;
alter table ledger.idempotency_keys drop constraint idempotency_keys_pkey;
create unique index on ledger.idempotency_keys (ledger_id, key) include (fingerprint);
select is_empty(
  'select * from ledger_private.append_only_storage()', 'An index may hold more than it compares'
);

rollback to installed;
alter table ledger.ledger_entries detach partition ledger.ledger_entries_default;
alter table ledger.payments_default set unlogged;
alter table ledger.accounts enable row level security;
select bag_eq(
  'select * from ledger_private.append_only_storage()',
  $$
    values
      ('partition_detached', 'table ledger.ledger_entries_default', '{}'::jsonb),
      ('table_not_logged', 'table ledger.payments_default', '{}'),
      ('row_security', 'table ledger.accounts', '{}')
  $$,
  'Every row is kept and seen'
);

select * from finish();
rollback;
