-- Reads one row. The service compares the digest in constant time.
create or replace function ledger.find_api_key(p_api_key_id bigint)
returns table (
  name text,
  secret_sha256 bytea,
  scopes text[],
  ledger_ids int[]
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select name, secret_sha256, scopes, ledger_ids
  from ledger.api_keys
  where api_key_id = p_api_key_id
    and revoked_at is null
$$;

comment on function ledger.find_api_key is
  'What the service needs to check a key that a client sent; no row when unknown or revoked.';
