-- Locks the accounts that the general path posts to: in one statement, in the order of their codes,
-- so two payments over the same accounts wait for each other and never deadlock. Codes never
-- change; ledger.post_payment locks its two accounts in the same order. NO KEY UPDATE is what the
-- balance update takes, and lets foreign key checks pass.
--
-- Returns the rows as they are once locked. Everything later works on these rows only: an account
-- committed after this statement's snapshot is unknown to this payment.
--
-- p_wait = false: rows that another transaction has locked are left out instead of waited for.
create or replace function ledger_private.lock_accounts(
  p_ledger_id int,
  p_codes text[],
  p_wait boolean
)
returns ledger_private.locked_account[]
language plpgsql
volatile
as $$
begin
  if p_wait and current_setting('server_version_num')::int >= 170000 then
    return array(
      select
        (
          account_id, code, currency, status, balance, held, version, min_balance, max_balance
        )::ledger_private.locked_account
      from ledger.accounts
      where ledger_id = p_ledger_id
        and code = any (p_codes)
      order by code
      for no key update
    );
  end if;

  -- One look-up a code: an older server that thinks the ledger small reads all its accounts for
  -- the above. LATERAL takes the codes in their order.
  if p_wait then
    return array(
      select a.locked
      from
        (select distinct code collate "C" from unnest(p_codes) code order by 1) c
        cross join lateral (
          select
            (
              account_id, code, currency, status, balance, held, version, min_balance, max_balance
            )::ledger_private.locked_account as locked
          from ledger.accounts
          where ledger_id = p_ledger_id
            and code = c.code
          for no key update
        ) a
    );
  end if;

  return array(
    select a.locked
    from
      (select distinct code collate "C" from unnest(p_codes) code order by 1) c
      cross join lateral (
        select
          (
            account_id, code, currency, status, balance, held, version, min_balance, max_balance
          )::ledger_private.locked_account as locked
        from ledger.accounts
        where ledger_id = p_ledger_id
          and code = c.code
        for no key update skip locked
      ) a
  );
end
$$;
