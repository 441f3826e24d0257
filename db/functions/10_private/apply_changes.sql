-- Applies a payment's changes in order to the locked accounts: the entries that result, their
-- rendering, and the accounts afterwards. Or the first problem, as {"code", values}. Writes nothing.
--
-- A debit (what lowers available = balance - held) may not take available below the minimum; a
-- credit may not take balance above the maximum; nothing may pass 38 digits. Each change counts
-- when its turn comes: money that a later posting brings does not pay for an earlier one.
--
-- A change whose account was not locked, is of another currency or is not open: account_problem
-- says which, in order of precedence over the whole payment.
create or replace function ledger_private.apply_changes(
  p_ledger_id int,
  p_changes ledger_private.change[],
  p_accounts ledger_private.locked_account[]
)
returns ledger_private.decision
language plpgsql
stable
as $$
declare
  v_change ledger_private.change;
  v_account ledger_private.locked_account;
  v_entry ledger_private.entry;
  v_at int;
  v_accounts ledger_private.locked_account[] := p_accounts;
  v_entries ledger_private.entry[];
  v_rendered text;
  v_problem jsonb;
begin
  foreach v_change in array p_changes loop
    v_at := 1;
    while v_accounts[v_at].code <> v_change.code loop
      v_at := v_at + 1;
    end loop;
    v_account := v_accounts[v_at];
    if (v_account.currency = v_change.currency and v_account.status = 'open') is not true then
      v_problem := ledger_private.account_problem(p_ledger_id, p_changes, p_accounts);
      return (null, null, null, v_problem)::ledger_private.decision;
    end if;
    v_entry := (
      v_change.posting_no, v_account.account_id, v_account.code, v_account.currency,
      v_change.amount, v_change.held, v_account.version + 1,
      v_account.balance + v_change.amount, v_account.held + v_change.held
    );

    v_problem := case
      when v_change.amount < v_change.held
        and v_entry.balance_after - v_entry.held_after < v_account.min_balance
        then jsonb_build_object(
          'code', 'insufficient_funds',
          'posting_no', v_change.posting_no,
          'account', v_account.code,
          'currency', v_account.currency,
          'amount', (v_change.held - v_change.amount)::text,
          'available', (v_account.balance - v_account.held)::text,
          'min_balance', v_account.min_balance::text
        )
      when v_change.amount > 0 and v_entry.balance_after > v_account.max_balance
        then jsonb_build_object(
          'code', 'balance_limit_exceeded',
          'posting_no', v_change.posting_no,
          'account', v_account.code,
          'currency', v_account.currency,
          'amount', v_change.amount::text,
          'balance', v_account.balance::text,
          'max_balance', v_account.max_balance::text
        )
      when abs(v_entry.balance_after) >= 1e38 or v_entry.held_after >= 1e38
        then jsonb_build_object(
          'code', 'balance_out_of_range',
          'posting_no', v_change.posting_no,
          'account', v_account.code,
          'currency', v_account.currency,
          'amount', v_change.amount::text,
          'balance', v_account.balance::text
        )
    end;
    if v_problem is not null then
      v_problem := coalesce(
        ledger_private.account_problem(p_ledger_id, p_changes, p_accounts), v_problem
      );
      return (null, null, null, v_problem)::ledger_private.decision;
    end if;

    v_account.balance := v_entry.balance_after;
    v_account.held := v_entry.held_after;
    v_account.version := v_entry.version;
    v_accounts[v_at] := v_account;
    v_entries := v_entries || v_entry;
    v_rendered := concat_ws(',', v_rendered, ledger_private.render_entry(v_entry));
  end loop;

  return (v_accounts, v_entries, v_rendered, null)::ledger_private.decision;
end
$$;
