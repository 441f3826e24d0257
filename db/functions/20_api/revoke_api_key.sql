-- Locks the key's row. Idempotent: the first revocation counts.
create or replace function ledger.revoke_api_key(p_api_key_id bigint)
returns boolean
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  update ledger.api_keys
  set revoked_at = clock_timestamp()
  where api_key_id = p_api_key_id
    and revoked_at is null;
  return found;
end
$$;

comment on function ledger.revoke_api_key is
  'Revokes an API key; services refuse it within 5 s. False: there was no such key to revoke.';
