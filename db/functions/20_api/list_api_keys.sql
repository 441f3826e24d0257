-- Locks nothing; digests stay in the table.
create or replace function ledger.list_api_keys()
returns table (
  api_key_id bigint,
  name text,
  scopes text[],
  ledger_ids int[],
  created_at timestamptz,
  revoked_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select api_key_id, name, scopes, ledger_ids, created_at, revoked_at
  from ledger.api_keys
  order by api_key_id
$$;

comment on function ledger.list_api_keys is 'Every API key, revoked ones too, without digests.';
