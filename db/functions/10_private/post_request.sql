-- Posts a payment of any number of postings: judges what it says, then takes the posting path.
create or replace function ledger_private.post_request(
  p_ledger_id int,
  p_request ledger_private.request,
  p_wait boolean
)
returns ledger.payment_result
language plpgsql
volatile
as $$
declare
  v_posting ledger_private.posting;
  v_problem jsonb;
  v_codes text[];
  v_changes ledger_private.change[];
begin
  v_problem := case
    -- Why no key could be read says more than that it is missing.
    when p_request.problem ->> 'field' in ('payment', 'idempotency_key') then p_request.problem
    else coalesce(ledger_private.key_problem(p_request.idem_key), p_request.problem)
  end;
  foreach v_posting in array coalesce(p_request.postings, '{}') loop
    v_problem := coalesce(
      v_problem,
      ledger_private.posting_problem(
        v_posting.posting_no, v_posting.from_code, v_posting.to_code,
        v_posting.amount, v_posting.currency
      )
    );
    exit when v_problem is not null;
    v_codes := v_codes || array[v_posting.from_code, v_posting.to_code];
    v_changes := v_changes || array[
      (
        v_posting.posting_no, v_posting.from_code, v_posting.currency,
        -trunc(v_posting.amount), 0
      )::ledger_private.change,
      (
        v_posting.posting_no, v_posting.to_code, v_posting.currency,
        trunc(v_posting.amount), 0
      )::ledger_private.change
    ];
  end loop;
  v_problem := coalesce(
    v_problem,
    ledger_private.content_problem(
      p_request.description, p_request.metadata, p_request.effective_at
    )
  );
  if v_problem is not null then
    return ledger_private.refusal(v_problem);
  end if;

  return ledger_private.post_changes(
    p_ledger_id, p_request.idem_key, 'payment', v_codes, v_changes,
    p_request.description, p_request.metadata, p_request.effective_at, p_wait
  );
end
$$;
