-- Locks nothing. Raises unknown_ledger, unknown_idempotency_key.
create or replace function ledger.find_payment_by_key(p_idem_key text, p_ledger_id int default 1)
returns ledger.payment_result
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_stored constant ledger.payment_result := ledger_private.stored_outcome(
    p_ledger_id, p_idem_key, null
  );
begin
  if v_stored.outcome is null then
    perform ledger_private.check_ledger(p_ledger_id);
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'unknown_idempotency_key')
    );
  end if;
  return v_stored;
end
$$;

comment on function ledger.find_payment_by_key is
  'The outcome that a key has: what a retry of its payment would be answered. '
  'Raises unknown_idempotency_key when nothing was posted or refused under it.';
