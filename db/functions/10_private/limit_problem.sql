-- Which limit an entry breaks, as {"code", values}, in order of precedence.
create or replace function ledger_private.limit_problem(
  p_entry ledger_private.entry,
  p_account ledger_private.locked_account  -- as it was before the entry
)
returns jsonb
language sql
stable parallel safe
as $$
  select jsonb_build_object(
      'posting_no', p_entry.posting_no,
      'account', p_entry.code,
      'currency', p_entry.currency
    )
    || case
      when p_entry.amount < p_entry.held
        and p_entry.balance_after - p_entry.held_after < p_account.min_balance
        then jsonb_build_object(
          'code', 'insufficient_funds',
          'amount', (p_entry.held - p_entry.amount)::text,
          'available', (p_account.balance - p_account.held)::text,
          'min_balance', p_account.min_balance::text
        )
      when p_entry.amount > 0 and p_entry.balance_after > p_account.max_balance
        then jsonb_build_object(
          'code', 'balance_limit_exceeded',
          'amount', p_entry.amount::text,
          'balance', p_account.balance::text,
          'max_balance', p_account.max_balance::text
        )
      else jsonb_build_object(
        'code', 'balance_out_of_range',
        'amount', p_entry.amount::text,
        'balance', p_account.balance::text
      )
    end
$$;
