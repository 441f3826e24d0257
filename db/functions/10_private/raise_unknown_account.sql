-- Why an account was not found: its ledger is unknown, its code malformed, or it is not there.
create or replace function ledger_private.raise_unknown_account(p_ledger_id int, p_code text)
returns void
language plpgsql
stable
as $$
begin
  perform ledger_private.check_ledger(p_ledger_id);
  perform ledger_private.raise_error(
    jsonb_build_object(
      'code',
        case
          when ledger_private.is_account_code(p_code) then 'unknown_account'
          else 'account_code_malformed'
        end,
      'account', left(p_code, 200)
    )
  );
end
$$;
