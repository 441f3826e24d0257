-- One payment of one posting, exactly once per (ledger, key).
-- Locks both account rows, in account_id order, until the caller's transaction ends.
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
  v_problem jsonb;
begin
  -- Nearly every payment is well-formed and plain: one expression says so. The form of account
  -- codes and the currency matters only if the accounts are not found.
  if (
    length(p_idem_key) between 1 and 255
    and p_idem_key collate "C" !~ '[^!-~]'
    and p_from <> p_to
    and p_amount > 0
    and p_amount < 1e38
    and p_amount = trunc(p_amount)
    and p_currency is not null
    and p_description is null
    and p_metadata = '{}'
    and p_effective_at is null
  ) is not true then
    v_problem := coalesce(
      ledger_private.key_problem(p_idem_key),
      ledger_private.posting_problem(1, p_from, p_to, p_amount, p_currency),
      ledger_private.content_problem(p_description, p_metadata, p_effective_at)
    );
    if v_problem is not null then
      return ledger_private.refusal(v_problem);
    end if;
  end if;

  return ledger_private.post_changes(
    p_ledger_id, p_idem_key, 'payment', array[p_from, p_to],
    array[
      (1, p_from, p_currency, -trunc(p_amount), 0)::ledger_private.change,
      (1, p_to, p_currency, trunc(p_amount), 0)::ledger_private.change
    ],
    p_description, p_metadata, p_effective_at, true
  );
end
$$;

comment on function ledger.post_payment is
  'Moves p_amount (integer minor units) from one account to another, exactly once per key: a retry '
  'with the same key and content gets the same answer. Returns the outcome, never raises for a '
  'refusal; wrap it in ledger.require_posted to have your transaction fail instead. '
  'Durable when your transaction commits.';
