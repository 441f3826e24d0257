create table ledger.api_keys (
  api_key_id bigint not null generated always as identity,
  created_at timestamptz not null default clock_timestamp(),
  revoked_at timestamptz,
  name text not null,
  secret_sha256 ledger.sha256 not null,
  scopes text[] not null,
  ledger_ids int[],
  created_by text not null default session_user,
  constraint api_keys_pkey primary key (api_key_id),
  constraint api_keys_name_is_short check (length(name) between 1 and 100),
  constraint api_keys_scopes_are_known
    check (scopes <@ array['read', 'write', 'admin'] and scopes <> '{}')
);

comment on table ledger.api_keys is
  'Who may use the HTTP API, for what. Of a secret only its SHA-256 is kept.';
comment on column ledger.api_keys.ledger_ids is 'The ledgers it is bound to. Null: every ledger.';
