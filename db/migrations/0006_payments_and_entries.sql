-- Both tables are range-partitioned by payment_id. A payment_id is a UUIDv7, so a partition is a
-- stretch of time and a look-up by id goes to one partition. ledger.maintain_partitions makes
-- them, with what a partition has besides its parent's columns: the unique (account_id, version)
-- and the trigger against TRUNCATE. Ids of payments and accounts are no two ledgers', so no index
-- has ledger_id: it would cost 32 bytes a payment.
--
-- No foreign keys and no CHECKs: only the posting path can write here, and each of them costs
-- every payment more than the look-up it would save (docs/decisions.md has the figures).
-- ledger.verify_ledger finds whatever they would have refused.
--
-- Ids and xids grow, so their indexes are filled from the right, nearly in order: fillfactor 95
-- leaves room for what comes a moment late, and no more.

create table ledger.payments (
  payment_id uuid not null,
  posted_at timestamptz not null,
  xid xid8 not null default pg_current_xact_id(),
  effective_at timestamptz,
  ledger_id int not null,
  feed_epoch int not null default 1,
  related_payment_id uuid,
  kind text not null,
  description text,
  metadata jsonb not null,
  constraint payments_pkey primary key (payment_id) with (fillfactor = 95)
)
partition by range (payment_id);

comment on table ledger.payments is
  'Append-only: one row for each thing that happened to money.';
comment on column ledger.payments.posted_at is 'Clock time, read while the accounts were locked.';
comment on column ledger.payments.effective_at is 'As the caller gave it. Null: posted_at counts.';
comment on column ledger.payments.xid is 'The transaction that posted it; the feed reads by it.';
comment on column ledger.payments.feed_epoch is
  'The feed epoch in which xid has its meaning. Its default is the current one: ledger.start_epoch '
  'changes it, so posting has nothing to look up.';

create index payments_by_xid on ledger.payments (xid, payment_id) with (fillfactor = 95);

create table ledger.ledger_entries (
  payment_id uuid not null,
  account_id bigint not null,
  version bigint not null,
  ledger_id int not null,
  posting_no smallint not null,
  amount ledger.balance not null,
  held ledger.balance not null,
  balance_after ledger.balance not null,
  held_after ledger.held not null
)
partition by range (payment_id);

comment on table ledger.ledger_entries is
  'Append-only: two rows a posting, a debit (amount < 0) and a credit (amount > 0). An account''s '
  'versions run 1, 2, 3 ... without a gap.';
comment on column ledger.ledger_entries.held is 'The change of the reserved part; 0 for a payment.';
comment on column ledger.ledger_entries.balance_after is 'The account''s balance at this version.';

create index ledger_entries_by_payment on ledger.ledger_entries (payment_id)
with (fillfactor = 95);
