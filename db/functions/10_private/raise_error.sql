-- Raises a code of the catalogue: its SQLSTATE and fixed message, the values as JSON in DETAIL,
-- what to do in HINT.
create or replace function ledger_private.raise_error(p_values jsonb)
returns void
language plpgsql
stable
as $$
declare
  v_error ledger.error_codes;
begin
  select *
  into strict v_error
  from ledger.error_codes
  where code = p_values ->> 'code';

  raise exception using
    errcode = v_error.sqlstate,
    message = v_error.message,
    detail = p_values::text,
    hint = v_error.hint;
end
$$;
