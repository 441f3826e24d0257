-- The yardstick's tables are the ledger's: the same columns, indexes, partitions and storage, as both
-- sides are to be read, grow and be kept alike. Only triggers, foreign keys and grants are not copied.
-- The same ordinary login uses both sides: PostgreSQL asks a superuser for no rights.
create schema plain;

create table plain.accounts (like ledger.accounts including all) with (fillfactor = 70);
create table plain.idempotency_keys (like ledger.idempotency_keys including all);
create table plain.payments (like ledger.payments including all) partition by range (payment_id);
create table plain.ledger_entries (like ledger.ledger_entries including all)
  partition by range (payment_id);

select
  format('create table plain.%I (like ledger.%1$I including all);', child.relname),
  format(
    'alter table plain.%I attach partition plain.%I %s;',
    parent.relname, child.relname, pg_get_expr(child.relpartbound, child.oid)
  )
from pg_inherits
join pg_class child on child.oid = inhrelid
join pg_class parent on parent.oid = inhparent
where parent.relnamespace = 'ledger'::regnamespace
  and parent.relkind = 'p'
\gexec

insert into plain.accounts (ledger_id, code, currency, type)
select 1, 'bench:' || i, 'USD', 'asset'
from generate_series(0, :accounts - 1) i;

analyze plain.accounts;

grant usage on schema plain to public;
grant select, insert, update on all tables in schema plain to public;
