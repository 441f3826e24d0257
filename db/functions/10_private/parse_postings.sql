-- Reads [{"from": "a", "to": "b", "amount": "100", "currency": "USD"}, ...]. The form of the JSON
-- is judged here, the values by posting_problem. Up to 101 are read: one too many is enough.
create or replace function ledger_private.parse_postings(
  p_postings jsonb,
  out postings ledger_private.posting[],
  out problem jsonb
)
language plpgsql
immutable parallel safe
as $$
declare
  v_item jsonb;
  v_no int := 0;
  v_field text;
  v_reason text;
begin
  if p_postings is null or jsonb_typeof(p_postings) = 'null' then
    problem := '{"code": "postings_missing"}';
    return;
  end if;
  if jsonb_typeof(p_postings) <> 'array' then
    problem := ledger_private.shape_problem('postings', 'not an array');
    return;
  end if;
  if jsonb_array_length(p_postings) = 0 then
    problem := '{"code": "postings_missing"}';
    return;
  end if;
  if jsonb_array_length(p_postings) > 100 then
    problem := jsonb_build_object(
      'code', 'too_many_postings', 'postings', jsonb_array_length(p_postings), 'limit', 100
    );
    return;
  end if;

  for v_item in select * from jsonb_array_elements(p_postings) loop
    v_no := v_no + 1;
    if jsonb_typeof(v_item) <> 'object' then
      problem := ledger_private.shape_problem(format('postings[%s]', v_no), 'not an object');
      return;
    end if;
    for v_field in select jsonb_object_keys(v_item) loop
      v_reason := case
        when v_field not in ('from', 'to', 'amount', 'currency') then 'unknown field'
        when jsonb_typeof(v_item -> v_field) in ('string', 'null') then null
        when v_field <> 'amount' then 'not a string'
        when jsonb_typeof(v_item -> v_field) <> 'number' then 'not a string or an integer'
      end;
      if v_reason is not null then
        problem := ledger_private.shape_problem(
          format('postings[%s].%s', v_no, v_field), v_reason
        );
        postings := null;
        return;
      end if;
    end loop;

    postings := postings || (
      v_no, v_item ->> 'from', v_item ->> 'to',
      ledger_private.parse_amount(v_item -> 'amount'), v_item ->> 'currency'
    )::ledger_private.posting;
  end loop;
end
$$;
