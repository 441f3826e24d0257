-- Waits for payments on the account and holds its row lock until the caller's transaction ends.
-- Recorded in account_changes. Raises unknown_account, status_unknown, account_status_final,
-- account_not_empty.
create or replace function ledger.set_account_status(
  p_code text,
  p_status text,
  p_ledger_id int default 1
)
returns ledger.account
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
declare
  v_account ledger.accounts;
begin
  if p_status is null or p_status not in ('open', 'frozen', 'closed') then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'status_unknown', 'status', left(p_status, 200))
    );
  end if;

  v_account := ledger_private.lock_account(p_ledger_id, p_code);
  if v_account.status = p_status then
    return ledger_private.visible_account(v_account);
  end if;
  if v_account.status = 'closed' then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'account_status_final', 'account', p_code)
    );
  end if;
  if p_status = 'closed' and (v_account.balance <> 0 or v_account.held <> 0) then
    perform ledger_private.raise_error(
      jsonb_build_object(
        'code', 'account_not_empty',
        'account', p_code,
        'balance', v_account.balance::text,
        'held', v_account.held::text
      )
    );
  end if;

  update ledger.accounts
  set status = p_status
  where account_id = v_account.account_id
  returning * into v_account;
  perform ledger_private.record_account_change(v_account);

  return ledger_private.visible_account(v_account);
end
$$;

comment on function ledger.set_account_status is
  'Opens, freezes or closes an account. A frozen account takes no payments either way until it is '
  'opened; closing needs a balance of 0 and is final.';
