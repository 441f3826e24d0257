-- Applies a payment's changes in order to the locked accounts: the entries that result, their
-- rendering, and the accounts afterwards. Or the first problem, as {"code", values}. Writes
-- nothing.
--
-- A debit (what lowers available = balance - held) may not take available below the minimum; a
-- credit may not take balance above the maximum; nothing may pass 38 digits. Each change counts
-- when its turn comes: money that a later posting brings does not pay for an earlier one.
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
  v_decision ledger_private.decision;
  v_accounts ledger_private.locked_account[] := p_accounts;
  v_entries ledger_private.entry[];
  v_change ledger_private.change;
  v_account ledger_private.locked_account;
  v_entry ledger_private.entry;
  v_at int;
begin
  foreach v_change in array p_changes loop
    v_at := 1;
    while v_accounts[v_at].code <> v_change.code loop
      v_at := v_at + 1;
    end loop;
    v_account := v_accounts[v_at];

    -- Not locked, of another currency, or not open.
    if (v_account.currency = v_change.currency and v_account.status = 'open') is not true then
      v_decision.problem := ledger_private.account_problem(p_ledger_id, p_changes, p_accounts);
      return v_decision;
    end if;

    v_entry := (
      v_change.posting_no, v_account.account_id, v_account.code, v_account.currency,
      v_change.amount, v_change.held, v_account.version + 1,
      v_account.balance + v_change.amount, v_account.held + v_change.held
    );
    if v_change.amount < v_change.held
        and v_entry.balance_after - v_entry.held_after < v_account.min_balance
      or v_change.amount > 0 and v_entry.balance_after > v_account.max_balance
      or abs(v_entry.balance_after) >= 1e38
      or v_entry.held_after >= 1e38
    then
      -- What is wrong with an account takes precedence, also where a later posting names it.
      v_decision.problem := coalesce(
        ledger_private.account_problem(p_ledger_id, p_changes, p_accounts),
        ledger_private.limit_problem(v_entry, v_account)
      );
      return v_decision;
    end if;

    v_account.balance := v_entry.balance_after;
    v_account.held := v_entry.held_after;
    v_account.version := v_entry.version;
    v_accounts[v_at] := v_account;
    v_entries := v_entries || v_entry;
    v_decision.rendered := concat_ws(
      ',', v_decision.rendered, ledger_private.render_entry(v_entry)
    );
  end loop;

  v_decision.accounts := v_accounts;
  v_decision.entries := v_entries;
  return v_decision;
end
$$;
