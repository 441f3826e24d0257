create type ledger.payment_result as (
  outcome text,
  code text,
  replayed boolean,
  payment_id uuid,
  body json
);

comment on type ledger.payment_result is
  'What became of a payment. outcome: posted, rejected, invalid, conflict or busy; code: null when '
  'posted, else one of ledger.error_codes; replayed: the key had this outcome before; body: the '
  'answer, the same bytes for the first call and every retry.';

create type ledger.account as (
  code text,
  currency text,
  type text,
  status text,
  balance numeric,
  held numeric,
  available numeric,
  version bigint,
  min_balance numeric,
  max_balance numeric,
  metadata jsonb,
  created_at timestamptz
);

comment on type ledger.account is 'An account as callers see it; available = balance - held.';

create type ledger_private.posting as (
  posting_no int,
  from_code text,
  to_code text,
  amount numeric,
  currency text
);

comment on type ledger_private.posting is 'A movement of amount from one account to another.';

create type ledger_private.change as (
  posting_no int,
  code text,
  currency text,
  amount numeric,
  held numeric
);

comment on type ledger_private.change is
  'What a posting does to one account: the change of its balance and of its reserved part.';

create type ledger_private.entry as (
  posting_no int,
  account_id bigint,
  code text,
  currency text,
  amount numeric,
  held numeric,
  version bigint,
  balance_after numeric,
  held_after numeric
);

comment on type ledger_private.entry is 'A change with what it made of its account.';

create type ledger_private.locked_account as (
  account_id bigint,
  code text,
  currency text,
  status text,
  balance numeric,
  held numeric,
  version bigint,
  min_balance numeric,
  max_balance numeric
);

comment on type ledger_private.locked_account is
  'An account''s state, read while its row is locked, and as the payment goes on changing it.';

create type ledger_private.decision as (
  accounts ledger_private.locked_account[],
  entries ledger_private.entry[],
  rendered text,
  problem jsonb
);

comment on type ledger_private.decision is
  'What a payment would do: its entries, their rendering and the accounts afterwards; or why not.';

create type ledger_private.request as (
  idem_key text,
  postings ledger_private.posting[],
  description text,
  metadata jsonb,
  effective_at timestamptz,
  problem jsonb
);

comment on type ledger_private.request is
  'A payment read from JSON; problem: what kept it from being read, as {"code", values}.';

create type ledger_private.simple_payment as (
  item int,
  idem_key text,
  from_code text,
  to_code text,
  amount numeric,
  currency text,
  description text,
  metadata jsonb
);

comment on type ledger_private.simple_payment is
  'A well-formed payment of one posting, effective when posted, in a batch: its item-th.';

create type ledger_private.safe_payment as (
  item int,
  payment_id uuid,
  idem_key text,
  amount numeric,
  currency text,
  description text,
  metadata jsonb,
  from_id bigint,
  from_code text,
  from_balance numeric,
  from_held numeric,
  from_version bigint,
  to_id bigint,
  to_code text,
  to_balance numeric,
  to_held numeric,
  to_version bigint
);

comment on type ledger_private.safe_payment is
  'A payment that will be accepted in whatever order its batch is posted, with its two accounts as '
  'they were when the batch had locked them.';
