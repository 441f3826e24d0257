-- Ends the lease of p_term, so that another relay need not wait until it runs out. Nothing happens
-- if the term is over. Locks the lease's row.
create or replace function ledger.release_relay_lease(p_term bigint)
returns void
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '1s'
as $$
begin
  update ledger_private.relay_lease
  set expires_at = '-infinity'
  where term = p_term;
end
$$;

comment on function ledger.release_relay_lease is
  'For the relay that ends: another one can take the lease at once.';
