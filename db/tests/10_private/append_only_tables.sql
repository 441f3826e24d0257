begin;
select plan(3);
create table public.payments ();

select bag_eq(
  'select relation::text, name from ledger_private.append_only_tables() where not is_partition',
  $$
    values
      ('ledger.payments', 'payments'), ('ledger.ledger_entries', 'ledger_entries'),
      ('ledger.idempotency_keys', 'idempotency_keys'), ('ledger.accounts', 'accounts'),
      ('ledger.account_changes', 'account_changes'), ('ledger.feed_epochs', 'feed_epochs')
  $$,
  'Everything that is history'
);
select bag_eq(
  'select relation::oid, name from ledger_private.append_only_tables() where is_partition',
  $$
    select inhrelid, substr(inhparent::regclass::text, 8)
    from pg_inherits
    join pg_class c on c.oid = inhrelid
    where inhparent::regclass::text like 'ledger.%'
      and c.relkind = 'r'
  $$,
  'with all its partitions'
);
select cmp_ok(
  (select count(*) from ledger_private.append_only_tables()), '>', 10::bigint, 'which are some'
);

select * from finish();
rollback;
