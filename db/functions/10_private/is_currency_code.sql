-- Whether a text has the form of a currency code: what domain ledger.currency_code accepts.
create or replace function ledger_private.is_currency_code(p_code text)
returns boolean
language sql
immutable parallel safe
as $$
  select p_code is not null and p_code collate "C" ~ '^[A-Z][A-Z0-9_]{2,11}$'
$$;
