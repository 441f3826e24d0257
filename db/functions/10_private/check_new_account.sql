-- Raises what is wrong about an account to be created.
create or replace function ledger_private.check_new_account(
  p_ledger_id int,
  p_code text,
  p_currency text,
  p_type text,
  p_min_balance numeric,
  p_max_balance numeric,
  p_metadata jsonb
)
returns void
language plpgsql
stable
as $$
begin
  perform ledger_private.check_ledger(p_ledger_id);
  if not ledger_private.is_account_code(p_code) then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'account_code_malformed', 'account', left(p_code, 200))
    );
  end if;
  if not ledger_private.is_currency_code(p_currency) then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'currency_malformed', 'currency', left(p_currency, 200))
    );
  end if;
  if not exists (select from ledger.currencies where code = p_currency) then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'unknown_currency', 'currency', p_currency)
    );
  end if;
  if p_type is null or p_type not in ('asset', 'liability', 'equity', 'income', 'expense') then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'account_type_unknown', 'account_type', left(p_type, 200))
    );
  end if;
  perform ledger_private.check_limits(p_min_balance, p_max_balance);
  perform ledger_private.check_metadata(p_metadata);
end
$$;
