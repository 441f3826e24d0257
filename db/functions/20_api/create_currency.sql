-- Idempotent by code. Raises currency_malformed, argument_invalid, currency_exists.
create or replace function ledger.create_currency(p_code text, p_exponent int, p_name text)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if not ledger_private.is_currency_code(p_code) then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'currency_malformed', 'currency', left(p_code, 200))
    );
  end if;
  if p_exponent is null or p_exponent not between 0 and 18 then
    perform ledger_private.raise_argument_invalid('p_exponent', 'not from 0 to 18');
  end if;
  if p_name is null then
    perform ledger_private.raise_argument_invalid('p_name', 'null');
  end if;

  insert into ledger.currencies (code, exponent, name)
  values (p_code, p_exponent, p_name)
  on conflict do nothing;
  if found then
    return true;
  end if;

  if not exists (
    select
    from ledger.currencies
    where code = p_code
      and exponent = p_exponent
      and name = p_name
  ) then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'currency_exists', 'currency', p_code)
    );
  end if;
  return false;
end
$$;

comment on function ledger.create_currency is
  'Adds a currency or any other unit of account. p_exponent: decimal places of the minor unit. '
  'True when it is new, false when it was there with the same content.';
