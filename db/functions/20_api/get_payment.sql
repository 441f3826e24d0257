-- Locks nothing. Raises unknown_ledger, unknown_payment.
create or replace function ledger.get_payment(p_payment_id uuid, p_ledger_id int default 1)
returns json
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_body constant json := ledger_private.posted_body(p_ledger_id, p_payment_id);
begin
  if v_body is null then
    perform ledger_private.check_ledger(p_ledger_id);
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'unknown_payment', 'payment_id', p_payment_id)
    );
  end if;
  return v_body;
end
$$;

comment on function ledger.get_payment is
  'A posted payment with its entries: the same document as the body that posting it answered. '
  'Raises unknown_payment.';
