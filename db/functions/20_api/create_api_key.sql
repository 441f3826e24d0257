-- Raises api_key_malformed, unknown_ledger.
create or replace function ledger.create_api_key(
  p_name text,
  p_secret_sha256 bytea,
  p_scopes text[],
  p_ledger_ids int[] default null
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_api_key_id bigint;
  v_ledger_id int;
begin
  if (
    length(p_name) between 1 and 100
    and length(p_secret_sha256) = 32
    and p_scopes <> '{}'
    and p_scopes <@ array['read', 'write', 'admin']
    and array_position(p_ledger_ids, null) is null
    and p_ledger_ids is distinct from '{}'
  ) is not true then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'api_key_malformed', 'name', left(p_name, 200), 'scopes', p_scopes)
    );
  end if;
  foreach v_ledger_id in array coalesce(p_ledger_ids, '{}') loop
    perform ledger_private.check_ledger(v_ledger_id);
  end loop;

  insert into ledger.api_keys (name, secret_sha256, scopes, ledger_ids)
  values (p_name, p_secret_sha256, p_scopes, p_ledger_ids)
  returning api_key_id into v_api_key_id;
  return v_api_key_id;
end
$$;

comment on function ledger.create_api_key is
  'Registers an API key by the SHA-256 of its secret, with scopes out of read, write and admin, '
  'bound to ledgers (null: all). The secret itself never comes here: use payledger keys create.';
