-- An entry as people name it: by its account's code and its version there.
create or replace function ledger_private.entry_subject(
  p_ledger_id int,
  p_account_id bigint,
  p_version bigint
)
returns text
language sql
stable
as $$
  select coalesce(
      (
        select 'account ' || code
        from ledger.accounts
        where ledger_id = p_ledger_id
          and account_id = p_account_id
      ),
      'account_id ' || p_account_id
    )
    || ' version ' || p_version
$$;
