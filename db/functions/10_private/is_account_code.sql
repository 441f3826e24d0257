-- Whether a text has the form of an account code: what domain ledger.account_code accepts.
create or replace function ledger_private.is_account_code(p_code text)
returns boolean
language sql
immutable parallel safe
as $$
  select p_code is not null
    and length(p_code) <= 128
    and p_code collate "C" ~ '^[A-Za-z0-9_-]+([:.@][A-Za-z0-9_-]+)*$'
$$;
