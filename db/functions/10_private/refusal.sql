-- An outcome other than posted: the catalogue says which outcome a code belongs to.
create or replace function ledger_private.refusal(
  p_values jsonb,  -- {"code", values}
  p_replayed boolean default false
)
returns ledger.payment_result
language sql
stable parallel safe
as $$
  select outcome, code, p_replayed, null::uuid, p_values::json
  from ledger.error_codes
  where code = p_values ->> 'code'
$$;
