-- Deletes keys of ledgers with a retention that are older than it, at most p_limit.
-- Rows that another purge is deleting are skipped. Keys of a ledger without a retention never go.
-- Reads the table from its beginning, where the oldest keys are, and if no ledger has a retention,
-- not at all. No index: each payment would pay for it, and a BRIN is good for the first purge only,
-- since new keys then fill the old ones' pages. Raises argument_invalid, unknown_ledger.
create or replace function ledger.purge_idempotency_keys(
  p_limit int default 10000,
  p_ledger_id int default null
)
returns bigint
language plpgsql
volatile
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_purged bigint;
begin
  if p_limit is null or p_limit < 0 then
    perform ledger_private.raise_argument_invalid('p_limit', 'null or negative');
  end if;
  if p_ledger_id is not null then
    perform ledger_private.check_ledger(p_ledger_id);
  end if;

  with expired as (
    select k.ledger_id, k.key
    from ledger.idempotency_keys k
    join ledger.ledgers l using (ledger_id)
    where l.idempotency_retention is not null
      and k.created_at < clock_timestamp() - l.idempotency_retention
      and (p_ledger_id is null or k.ledger_id = p_ledger_id)
    limit p_limit
    for update of k skip locked
  )
  delete from ledger.idempotency_keys k
  using expired e
  where k.ledger_id = e.ledger_id
    and k.key = e.key;
  get diagnostics v_purged = row_count;
  return v_purged;
end
$$;

comment on function ledger.purge_idempotency_keys is
  'Deletes keys older than their ledger''s idempotency_retention, at most p_limit; returns how '
  'many. A retry with a purged key posts anew. Repeat until it returns 0.';
