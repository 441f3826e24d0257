-- stored_outcome for a retry, who takes it as the acknowledgement that its first call did not get.
-- That one may have been cut off while it waited for a synchronous standby: committed here, and
-- perhaps nowhere else. A retry that has locked its accounts has written, so its commit waits until
-- the standbys have all that came before; one that found them busy has not, so where there are
-- synchronous standbys it writes something here.
create or replace function ledger_private.replayed_outcome(
  p_ledger_id int,
  p_idem_key text,
  p_fingerprint bytea
)
returns ledger.payment_result
language plpgsql
volatile
as $$
declare
  v_stored constant ledger.payment_result := ledger_private.stored_outcome(
    p_ledger_id, p_idem_key, p_fingerprint
  );
begin
  if v_stored.outcome is not null and current_setting('synchronous_standby_names') <> '' then
    perform pg_logical_emit_message(true, 'payledger', 'replayed');
  end if;

  return v_stored;
end
$$;
