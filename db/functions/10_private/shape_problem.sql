-- payment_malformed with the field and the reason.
create or replace function ledger_private.shape_problem(p_field text, p_reason text)
returns jsonb
language sql
immutable parallel safe
as $$
  select jsonb_build_object(
    'code', 'payment_malformed', 'field', left(p_field, 200), 'reason', p_reason
  )
$$;
