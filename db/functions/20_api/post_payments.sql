-- Many independent payments in one call and one transaction, each exactly once per (ledger, key).
-- Accepts and refuses exactly as if the items were posted one by one in input order.
-- Locks the accounts of all items, in the order of their codes, in one statement; so calls that
-- share accounts wait for each other and never deadlock. Outcomes as for post_payment, one an item,
-- and busy (account_busy) when p_wait is false.
--
-- Posts in sets what is simple and safe (see safe_payments), the rest one by one. Two calls that
-- race for the same keys with other accounts may deadlock over them: 40P01, as ever nothing is
-- stored and the same call may be sent again.
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
#variable_conflict use_column
declare
  v_count constant int := case
    when jsonb_typeof(p_payments) = 'array' then jsonb_array_length(p_payments)
  end;
  v_simple ledger_private.simple_payment[];
  v_others ledger_private.request[];
  v_other_codes text[];
  v_accounts ledger_private.locked_account[];
  v_safe ledger_private.safe_payment[];
  v_known ledger_private.safe_payment;
  v_items int[];  -- those posted by set statements, in order
  v_ids uuid[];
  v_bodies json[];
  v_next int := 1;
  v_next_safe int := 1;
  v_result ledger.payment_result;
begin
  if v_count is null then
    perform ledger_private.raise_error(
      ledger_private.shape_problem('payments', 'not an array')
    );
  end if;
  -- Durable means flushed: a caller's asynchronous commit does not apply to money.
  if current_setting('synchronous_commit') in ('off', 'local') then
    perform set_config('synchronous_commit', 'on', true);
  end if;

  v_simple := ledger_private.read_simple_payments(p_payments);
  -- Alone, a payment costs half of what it costs by set statements.
  if v_count = 1 and cardinality(v_simple) = 1 and p_wait then
    return query
    select 1, result.*
    from
      unnest(v_simple) s,
      ledger.post_payment(
        s.idem_key, s.from_code, s.to_code, s.amount, s.currency, s.description, s.metadata,
        null, p_ledger_id
      ) result;
    return;
  end if;

  if cardinality(v_simple) < v_count then
    v_others := array(
      select ledger_private.parse_request(value)
      from jsonb_array_elements(p_payments) with ordinality
      where ordinality not in (select (s).item from unnest(v_simple) s)
    );
    v_other_codes := array(
      select distinct unnest(array[p.from_code, p.to_code])
      from unnest(v_others) r, unnest(r.postings) p
      where r.problem is null
    );
  end if;

  v_accounts := ledger_private.lock_accounts(
    p_ledger_id,
    array(
      select (s).from_code from unnest(v_simple) s
      union
      select (s).to_code from unnest(v_simple) s
      union
      select unnest(v_other_codes)
    ),
    p_wait
  );

  v_safe := ledger_private.safe_payments(
    v_simple, v_accounts, array(select (r).idem_key from unnest(v_others) r), v_other_codes
  );
  select array_agg(item), array_agg(payment_id), array_agg(body)
  into v_items, v_ids, v_bodies
  from ledger_private.post_safe_payments(p_ledger_id, v_safe);

  if cardinality(v_items) = v_count then
    return query
    select i, 'posted', null::text, false, id, b
    from unnest(v_items, v_ids, v_bodies) posted (i, id, b);
    return;
  end if;

  -- The rest one by one, in input order.
  for v_item in 1..v_count loop
    v_result := null;
    if v_safe[v_next_safe].item = v_item then
      v_known := v_safe[v_next_safe];
      v_next_safe := v_next_safe + 1;
      if v_items[v_next] = v_item then
        v_result := (
          'posted', null, false, v_ids[v_next], v_bodies[v_next]
        )::ledger.payment_result;
        v_next := v_next + 1;
      else  -- Its key was taken.
        v_result := ledger_private.replayed_outcome(
          p_ledger_id, v_known.idem_key,
          ledger_private.simple_fingerprint(
            v_known.from_code, v_known.to_code, v_known.amount, v_known.currency,
            v_known.description, v_known.metadata
          )
        );
      end if;
    end if;
    if v_result.outcome is null then
      v_result := ledger_private.post_request(
        p_ledger_id, ledger_private.parse_request(p_payments -> (v_item - 1)), p_wait
      );
    end if;
    return query
    select
      v_item, v_result.outcome, v_result.code, v_result.replayed, v_result.payment_id,
      v_result.body;
  end loop;
end
$$;

comment on function ledger.post_payments is
  'Posts many independent payments in one transaction; a row for each, in input order. p_payments: '
  '[{"idempotency_key": "k1", "from": "a", "to": "b", "amount": "100", "currency": "USD"}, ...], '
  'or with "postings": [...] instead of the one; "description", "metadata" and "effective_at" '
  '(ISO 8601 with offset) are optional. p_wait false: a payment whose account another transaction '
  'holds is answered busy instead of waited for.';
