-- The amount of a JSON string or number; NaN for what is no number, so that it is refused as
-- amount_not_integer; null for null.
create or replace function ledger_private.parse_amount(p_json jsonb)
returns numeric
language sql
immutable parallel safe
as $$
  select case
    when length(p_json #>> '{}') <= 1000 and p_json #>> '{}' ~ '^[+-]?[0-9]+([.][0-9]+)?$'
      then (p_json #>> '{}')::numeric
    when jsonb_typeof(p_json) <> 'null' then 'NaN'
  end
$$;
