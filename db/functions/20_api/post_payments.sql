-- Many independent payments in one call and one transaction, each exactly once per (ledger, key).
-- Accepts and refuses exactly as if the items were posted one by one in input order.
-- Locks the accounts of all items, in the order of their codes, in one statement; so calls that share
-- accounts wait for each other and never deadlock. Outcomes as for post_payment, one an item, and
-- busy (account_busy) when p_wait is false.
create or replace function ledger.post_payments(
  p_payments jsonb,
  p_ledger_id int default 1,
  p_wait boolean default true
)
returns table (
  item int,
  outcome text,
  code text,
  replayed boolean,
  payment_id uuid,
  body json
)
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
  v_requests ledger_private.request[];
  v_request ledger_private.request;
begin
  if jsonb_typeof(p_payments) is distinct from 'array' then
    perform ledger_private.raise_error(
      ledger_private.shape_problem('payments', 'not an array')
    );
  end if;

  v_requests := array(
    select ledger_private.parse_request(value)
    from jsonb_array_elements(p_payments) with ordinality
    order by ordinality
  );

  perform ledger_private.lock_accounts(
    p_ledger_id,
    array(
      select distinct unnest(array[p.from_code, p.to_code])
      from unnest(v_requests) r, unnest(r.postings) p
      where r.problem is null
    ),
    p_wait
  );

  item := 0;
  foreach v_request in array v_requests loop
    item := item + 1;
    select r.outcome, r.code, r.replayed, r.payment_id, r.body
    into outcome, code, replayed, payment_id, body
    from ledger_private.post_request(p_ledger_id, v_request, p_wait) r;
    return next;
  end loop;
end
$$;

comment on function ledger.post_payments is
  'Posts many independent payments in one transaction; a row for each, in input order. p_payments: '
  '[{"idempotency_key": "k1", "from": "a", "to": "b", "amount": "100", "currency": "USD"}, ...], '
  'or with "postings": [...] instead of the one; "description", "metadata" and "effective_at" '
  '(ISO 8601 with offset) are optional. p_wait false: a payment whose account another transaction '
  'holds is answered busy instead of waited for.';
