create table ledger.accounts (
  account_id bigint not null generated always as identity,
  version bigint not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  ledger_id int not null,
  code ledger.account_code not null,
  currency ledger.currency_code not null,
  type ledger.account_type not null,
  status ledger.account_status not null default 'open',
  balance ledger.balance not null default 0,
  held ledger.held not null default 0,
  min_balance ledger.balance default 0,
  max_balance ledger.balance,
  metadata ledger.metadata not null default '{}',
  constraint accounts_pkey primary key (account_id),
  constraint accounts_code_is_unique unique (ledger_id, code),
  constraint accounts_ledger_exists foreign key (ledger_id) references ledger.ledgers,
  constraint accounts_currency_exists foreign key (currency) references ledger.currencies)
-- No index holds a column that posting changes, and a page keeps room for new row versions:
-- every balance update is HOT. No CHECK either: PostgreSQL reads a table's CHECK expressions anew
-- for every statement. What one could say, the domains, the functions and verify_ledger do.
with (fillfactor = 70);

comment on table ledger.accounts is
  'One row an account: its running balance and the version, the number of its last entry. '
  'Sums of ledger_entries, kept here so that posting and reading need no sum.';
comment on column ledger.accounts.balance is
  'Signed minor units; the sum of the entries'' amounts.';
comment on column ledger.accounts.held is 'The reserved part; available = balance - held.';
comment on column ledger.accounts.min_balance is
  'No debit takes available below it. Null: no minimum. Default 0: never negative.';
comment on column ledger.accounts.max_balance is
  'No credit takes balance above it. Null: no maximum.';
comment on column ledger.accounts.type is 'Decides how reports show the sign, nothing else.';

create table ledger.account_changes (
  change_id bigint not null generated always as identity,
  account_id bigint not null,
  from_version bigint not null,
  changed_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  ledger_id int not null,
  status ledger.account_status not null,
  min_balance ledger.balance,
  max_balance ledger.balance,
  metadata ledger.metadata not null,
  changed_by text not null default session_user,
  constraint account_changes_pkey primary key (ledger_id, account_id, change_id),
  constraint account_changes_account_exists foreign key (account_id) references ledger.accounts
);

comment on table ledger.account_changes is
  'Append-only: what an account''s status, limits and metadata were, from which version on, and '
  'who set them. The first row of an account is its creation.';
comment on column ledger.account_changes.from_version is
  'The first entry of the account that these limits apply to.';

create index account_changes_by_xid on ledger.account_changes (xid);
