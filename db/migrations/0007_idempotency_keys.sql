create table ledger.idempotency_keys (
  payment_id uuid,
  created_at timestamptz not null,
  ledger_id int not null,
  render_version smallint not null,
  key text collate "C" not null,
  fingerprint bytea not null,
  outcome jsonb,
  constraint idempotency_keys_pkey primary key (ledger_id, key)
);

comment on table ledger.idempotency_keys is
  'Insert-only: the outcome that each key has, decided once. Rows leave only by '
  'ledger.purge_idempotency_keys, and only from ledgers with a retention.';
comment on column ledger.idempotency_keys.key is
  '1 to 255 visible ASCII characters, as ledger_private.key_problem judges.';
comment on column ledger.idempotency_keys.fingerprint is
  'SHA-256 of the payment''s canonical content: a retry must have the same.';
comment on column ledger.idempotency_keys.payment_id is
  'Posted: the answer is rendered from the payment''s immutable rows.';
comment on column ledger.idempotency_keys.outcome is
  'Rejected: the refusal as it was answered.';
comment on column ledger.idempotency_keys.render_version is
  'Which renderer wrote the first answer, and so writes every replay.';
