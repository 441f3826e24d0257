-- Raises unknown_ledger, retention_invalid. Takes effect at the next purge_idempotency_keys.
create or replace function ledger.set_ledger_retention(
  p_ledger_id int,
  p_idempotency_retention interval
)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  perform ledger_private.check_ledger(p_ledger_id);
  perform ledger_private.check_retention(p_idempotency_retention);

  update ledger.ledgers
  set idempotency_retention = p_idempotency_retention
  where ledger_id = p_ledger_id;
end
$$;

comment on function ledger.set_ledger_retention is
  'Sets how long keys of the ledger answer for their payments (null: for ever). After that a '
  'retry posts anew, so choose it longer than any client retries.';
