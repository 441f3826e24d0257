-- Idempotent by name: the same content returns the ledger that is there, other content raises
-- ledger_exists. Raises ledger_name_malformed, retention_invalid, metadata_not_object,
-- metadata_too_large.
create or replace function ledger.create_ledger(
  p_name text,
  p_idempotency_retention interval default null,
  p_metadata jsonb default '{}'
)
returns table (
  ledger_id int,
  name text,
  idempotency_retention interval,
  metadata jsonb,
  created_at timestamptz,
  created boolean
)
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_ledger ledger.ledgers;
  v_created boolean;
begin
  if p_name is null or p_name collate "C" !~ '^[a-z0-9-]{1,63}$' then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'ledger_name_malformed', 'name', left(p_name, 200))
    );
  end if;
  perform ledger_private.check_retention(p_idempotency_retention);
  perform ledger_private.check_metadata(p_metadata);

  insert into ledger.ledgers (name, idempotency_retention, metadata)
  values (p_name, p_idempotency_retention, p_metadata)
  on conflict (name) do nothing;
  v_created := found;

  select *
  into strict v_ledger
  from ledger.ledgers l
  where l.name = p_name;

  if (v_ledger.idempotency_retention, v_ledger.metadata)
    is distinct from (p_idempotency_retention, p_metadata)
  then
    perform ledger_private.raise_error(
      jsonb_build_object('code', 'ledger_exists', 'name', p_name)
    );
  end if;

  return query
  select
    v_ledger.ledger_id, v_ledger.name, v_ledger.idempotency_retention, v_ledger.metadata::jsonb,
    v_ledger.created_at, v_created;
end
$$;

comment on function ledger.create_ledger is
  'Creates a ledger, or returns the one of this name if it has the same content. '
  'p_idempotency_retention: how long a key answers for its payment; null is for ever.';
