-- Reads one row; locks nothing.
create or replace function ledger.find_ledger(p_name text)
returns table (
  ledger_id int,
  name text,
  idempotency_retention interval,
  metadata jsonb,
  created_at timestamptz
)
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select ledger_id, name, idempotency_retention, metadata, created_at
  from ledger.ledgers
  where name = p_name
$$;

comment on function ledger.find_ledger is 'The ledger of this name; no row when there is none.';
