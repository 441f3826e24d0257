-- Raises the LGnnn of any outcome but posted, so that the caller's transaction fails with it, and
-- argument_invalid for what is no posting function's result.
create or replace function ledger.require_posted(p_result ledger.payment_result)
returns ledger.payment_result
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_result.outcome = 'posted' then
    return p_result;
  end if;

  if not exists (select from ledger.error_codes where code = p_result.body ->> 'code') then
    perform ledger_private.raise_argument_invalid('p_result', 'no result of a posting function');
  end if;

  perform ledger_private.raise_error(p_result.body::jsonb);
  return null;
end
$$;

comment on function ledger.require_posted is
  'Passes a posted result on and raises any other as an SQLSTATE of class LG (table '
  'ledger.error_codes): select * from ledger.require_posted(ledger.post_payment(...)). '
  'A refusal raised so is rolled back with your transaction: its key stays free.';
