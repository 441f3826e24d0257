-- One payment of one posting, exactly once per (ledger, key).
-- Locks both account rows, in the order of their codes, until the caller's transaction ends.
-- Outcomes: posted, rejected (stored under the key), invalid, conflict. See ledger.error_codes.
create or replace function ledger.post_payment(
  p_idem_key text,
  p_from text,
  p_to text,
  p_amount numeric,
  p_currency text,
  p_description text default null,
  p_metadata jsonb default '{}',
  p_effective_at timestamptz default null,
  p_ledger_id int default 1
)
returns ledger.payment_result
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
-- Plans are made once a session, look rows up by key and never scan, whatever the tables hold.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_from_row tid;
  v_from_version bigint;
  v_from_balance numeric;
  v_to_row tid;
  v_to_version bigint;
  v_to_balance numeric;
  v_allowed boolean;
  v_payment_id uuid;
  v_posted_at timestamptz;
begin
  -- Nearly every payment is plain: it has no description, metadata or effective_at, its accounts
  -- are there and allow it, far from 38 digits, and its commit will be durable. Those are posted
  -- here, in three statements. Whatever is not plain takes the general path, from its beginning,
  -- with the locks that it already has. Both paths check the same, write the same rows and give the
  -- same bytes. greatest and least pass over a limit that is null.
  if current_setting('synchronous_commit') not in ('off', 'local')
    and p_description is null
    and p_metadata = '{}'
    and p_effective_at is null
    and p_amount between 1 and 5e37 - 1
    and scale(p_amount) = 0
    and length(p_idem_key) <= 255
    and p_idem_key collate "C" ~ '^[!-~]+$'
  then
    -- In the order of lock_accounts: FOR UPDATE OF locks the tables in the order it names them.
    if p_from < p_to collate "C" then
      select
        f.ctid, f.version, f.balance, t.ctid, t.version, t.balance,
        f.status = 'open' and f.currency = p_currency
          and f.balance - f.held - p_amount >= greatest(f.min_balance, -5e37)
          and t.status = 'open' and t.currency = p_currency
          and t.balance + p_amount <= least(t.max_balance, 5e37)
      into
        v_from_row, v_from_version, v_from_balance, v_to_row, v_to_version, v_to_balance, v_allowed
      from ledger.accounts f, ledger.accounts t
      where (f.ledger_id, f.code) = (p_ledger_id, p_from)
        and (t.ledger_id, t.code) = (p_ledger_id, p_to)
      for no key update of f, t;
    elsif p_from > p_to collate "C" then
      select
        f.ctid, f.version, f.balance, t.ctid, t.version, t.balance,
        f.status = 'open' and f.currency = p_currency
          and f.balance - f.held - p_amount >= greatest(f.min_balance, -5e37)
          and t.status = 'open' and t.currency = p_currency
          and t.balance + p_amount <= least(t.max_balance, 5e37)
      into
        v_from_row, v_from_version, v_from_balance, v_to_row, v_to_version, v_to_balance, v_allowed
      from ledger.accounts f, ledger.accounts t
      where (f.ledger_id, f.code) = (p_ledger_id, p_from)
        and (t.ledger_id, t.code) = (p_ledger_id, p_to)
      for no key update of t, f;
    end if;

    if v_allowed then
      insert into ledger.idempotency_keys
        (ledger_id, key, fingerprint, payment_id, render_version, created_at)
      values (
        p_ledger_id, p_idem_key,
        ledger_private.plain_fingerprint(p_from, p_to, p_amount, p_currency),
        ledger_private.new_payment_id(), 1, clock_timestamp()
      )
      on conflict do nothing
      returning payment_id, created_at into v_payment_id, v_posted_at;
    end if;
  end if;

  if v_payment_id is null then
    return ledger_private.post_request(
      p_ledger_id,
      (
        p_idem_key,
        array[(1, p_from, p_to, p_amount, p_currency)::ledger_private.posting],
        p_description, p_metadata, p_effective_at, null
      )::ledger_private.request,
      true
    );
  end if;

  with payment as (
    insert into ledger.payments (ledger_id, payment_id, kind, metadata, posted_at)
    values (p_ledger_id, v_payment_id, 'payment', p_metadata, v_posted_at)
  ),
  moved as (
    update ledger.accounts
    set
      balance = balance + case ctid when v_from_row then -p_amount else p_amount end,
      version = version + 1
    -- Where they were found: locked rows do not move.
    where ctid = any (array[v_from_row, v_to_row])
    returning account_id, code, version, balance, held
  )
  insert into ledger.ledger_entries
    (ledger_id, account_id, version, payment_id, posting_no,
     amount, held, balance_after, held_after)
  select
    p_ledger_id, account_id, version, v_payment_id, 1,
    case code when p_from then -p_amount else p_amount end, 0, balance, held
  from moved;

  return (
    'posted', null, false, v_payment_id,
    ledger_private.render_plain_payment(
      v_payment_id, ledger_private.utc_text(v_posted_at),
      p_from, v_from_balance, v_from_version + 1,
      p_to, v_to_balance, v_to_version + 1,
      p_amount, p_currency
    )
  )::ledger.payment_result;
end
$$;

comment on function ledger.post_payment is
  'Moves p_amount (integer minor units) from one account to another, exactly once per key: a retry '
  'with the same key and content gets the same answer. Returns the outcome, never raises for a '
  'refusal; wrap it in ledger.require_posted to have your transaction fail instead. '
  'Durable when your transaction commits.';
