-- One payment of 1 to 100 postings, all or nothing, exactly once per (ledger, key).
-- Locks all its account rows, in the order of their codes, until the caller's transaction ends.
-- Outcomes as for post_payment. Postings count in the order given.
create or replace function ledger.post_compound_payment(
  p_idem_key text,
  p_postings jsonb,
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
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_parsed record;
begin
  v_parsed := ledger_private.parse_postings(p_postings);

  return ledger_private.post_request(
    p_ledger_id,
    (
      p_idem_key, v_parsed.postings, p_description, p_metadata, p_effective_at, v_parsed.problem
    )::ledger_private.request,
    true
  );
end
$$;

comment on function ledger.post_compound_payment is
  'Posts one payment of 1 to 100 postings, all or nothing, exactly once per key. p_postings: '
  '[{"from": "a", "to": "b", "amount": "100", "currency": "USD"}, ...], applied in this order. '
  'Otherwise like ledger.post_payment; a single posting gives the same payment under either.';
