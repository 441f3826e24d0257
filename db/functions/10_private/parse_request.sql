-- Reads one element of ledger.post_payments: its comment has the form. The form of the JSON is
-- judged here; what the values mean is judged where every payment is.
create or replace function ledger_private.parse_request(p_item jsonb)
returns ledger_private.request
language plpgsql
immutable parallel safe
as $$
declare
  v_request ledger_private.request;
  v_field text;
  v_parsed record;
begin
  if jsonb_typeof(p_item) <> 'object' then
    v_request.problem := ledger_private.shape_problem('payment', 'not an object');
    return v_request;
  end if;

  -- First, as a wrong key takes precedence over whatever else is wrong.
  if jsonb_typeof(p_item -> 'idempotency_key') = 'string' then
    v_request.idem_key := p_item ->> 'idempotency_key';
  end if;

  for v_field in select jsonb_object_keys(p_item) loop
    v_request.problem := case
      when v_field not in (
        'idempotency_key', 'from', 'to', 'amount', 'currency', 'postings',
        'description', 'metadata', 'effective_at'
      )
        then ledger_private.shape_problem(v_field, 'unknown field')
      when v_field in ('from', 'to', 'amount', 'currency') and p_item ? 'postings'
        then ledger_private.shape_problem(v_field, 'given beside postings')
      when v_field in ('idempotency_key', 'description', 'effective_at')
        and jsonb_typeof(p_item -> v_field) not in ('string', 'null')
        then ledger_private.shape_problem(v_field, 'not a string')
    end;
    if v_request.problem is not null then
      return v_request;
    end if;
  end loop;

  v_request.description := p_item ->> 'description';
  v_request.metadata := coalesce(p_item -> 'metadata', '{}');
  v_request.effective_at := ledger_private.parse_time(p_item ->> 'effective_at');
  if v_request.effective_at is null and p_item ->> 'effective_at' is not null then
    v_request.problem := ledger_private.shape_problem(
      'effective_at', 'not an ISO 8601 time with an offset'
    );
    return v_request;
  end if;

  v_parsed := ledger_private.parse_postings(
    case
      when p_item ? 'postings' then p_item -> 'postings'
      when p_item ?| array['from', 'to', 'amount', 'currency'] then jsonb_build_array(
        (
          select jsonb_object_agg(key, value)
          from jsonb_each(p_item)
          where key in ('from', 'to', 'amount', 'currency')
        )
      )
    end
  );
  v_request.postings := v_parsed.postings;
  v_request.problem := v_parsed.problem;
  return v_request;
end
$$;
