-- The yardstick's tables: what a team would write by hand for the same rows, with the indexes that
-- reading them back needs. No functions, no checks, no partitions, no domains.
create schema plain;

create table plain.accounts (
  account_id bigint primary key,
  version bigint not null,
  code text collate "C" not null unique,
  currency text not null,
  balance numeric(38, 0) not null,
  held numeric(38, 0) not null
)
with (fillfactor = 70);

create table plain.payments (
  payment_id uuid primary key,
  posted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  ledger_id int not null,
  feed_epoch int not null,
  kind text not null,
  metadata jsonb not null
);
create index on plain.payments (xid, payment_id);

create table plain.ledger_entries (
  payment_id uuid not null,
  account_id bigint not null,
  version bigint not null,
  ledger_id int not null,
  posting_no smallint not null,
  amount numeric(38, 0) not null,
  held numeric(38, 0) not null,
  balance_after numeric(38, 0) not null,
  held_after numeric(38, 0) not null
);
create unique index on plain.ledger_entries (ledger_id, account_id, version);
create index on plain.ledger_entries (payment_id);

create table plain.idempotency_keys (
  payment_id uuid,
  created_at timestamptz not null,
  ledger_id int not null,
  render_version smallint not null,
  key text collate "C" not null,
  fingerprint bytea not null,
  primary key (ledger_id, key)
);

-- The same accounts as the ledger has.
insert into plain.accounts
select i + 1, 0, 'bench:' || i, 'USD', 0, 0
from generate_series(0, :accounts - 1) i;

analyze plain.accounts;
