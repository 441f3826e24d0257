-- What is malformed about a posting, as {"code", values}; null: nothing. In order of precedence.
-- Touches no table.
create or replace function ledger_private.posting_problem(
  p_posting_no int,
  p_from text,
  p_to text,
  p_amount numeric,
  p_currency text
)
returns jsonb
language plpgsql
immutable parallel safe
as $$
declare
  v_code text;
begin
  foreach v_code in array array[p_from, p_to] loop
    if not ledger_private.is_account_code(v_code) then
      return jsonb_build_object(
        'code', 'account_code_malformed', 'posting_no', p_posting_no, 'account', left(v_code, 200)
      );
    end if;
  end loop;
  if p_from = p_to then
    return jsonb_build_object('code', 'same_account', 'posting_no', p_posting_no, 'account', p_to);
  end if;

  if p_amount is null then
    return jsonb_build_object('code', 'amount_missing', 'posting_no', p_posting_no);
  end if;
  if p_amount = 'NaN' or p_amount <> trunc(p_amount) then
    return jsonb_build_object(
      'code', 'amount_not_integer', 'posting_no', p_posting_no, 'amount', left(p_amount::text, 200)
    );
  end if;
  if p_amount <= 0 then
    return jsonb_build_object(
      'code', 'amount_not_positive', 'posting_no', p_posting_no, 'amount', left(p_amount::text, 200)
    );
  end if;
  if p_amount >= 1e38 then
    return jsonb_build_object(
      'code', 'amount_too_large', 'posting_no', p_posting_no, 'amount', left(p_amount::text, 200)
    );
  end if;

  if not ledger_private.is_currency_code(p_currency) then
    return jsonb_build_object(
      'code', 'currency_malformed', 'posting_no', p_posting_no, 'currency', left(p_currency, 200)
    );
  end if;

  return null;
end
$$;
