-- Limits are integers of at most 38 digits with minimum <= maximum, or null. Raises limits_invalid.
create or replace function ledger_private.check_limits(p_min_balance numeric, p_max_balance numeric)
returns void
language plpgsql
stable
as $$
declare
  v_limit numeric;
begin
  foreach v_limit in array array[p_min_balance, p_max_balance] loop
    if v_limit = 'NaN' or v_limit <> trunc(v_limit) or abs(v_limit) >= 1e38
      or p_min_balance > p_max_balance
    then
      perform ledger_private.raise_error(
        jsonb_build_object(
          'code', 'limits_invalid',
          'min_balance', left(p_min_balance::text, 200),
          'max_balance', left(p_max_balance::text, 200)
        )
      );
    end if;
  end loop;
end
$$;
