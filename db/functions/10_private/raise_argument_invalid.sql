-- An argument of an administrator's function that says nothing it could do.
create or replace function ledger_private.raise_argument_invalid(p_argument text, p_reason text)
returns void
language plpgsql
stable
as $$
begin
  perform ledger_private.raise_error(
    jsonb_build_object('code', 'argument_invalid', 'argument', p_argument, 'reason', p_reason)
  );
end
$$;
