-- Promise 3, where look-ups search: every row is in the partition of its payment_id. A row for each
-- partition that holds others; the default one (without bounds) should hold none.
create or replace function ledger_private.verify_partitions(
  p_ledger_id int,
  p_from_id uuid,
  p_until_id uuid
)
returns table (breach text, ledger_id int, subject text, detail jsonb)
language sql
stable
as $$
  with partitions as materialized (
    select *, coalesce(from_id, until_id) is null as is_default
    from (
      select * from ledger_private.partitions('ledger.payments')
      union all
      select * from ledger_private.partitions('ledger.ledger_entries')
    ) p
  ),
  rows as (
    select p.tableoid, p.ledger_id, p.payment_id
    from ledger.payments p
    where (p_ledger_id is null or p.ledger_id = p_ledger_id)
      and (p_from_id is null or p.payment_id >= p_from_id)
      and (p_until_id is null or p.payment_id < p_until_id)
    union all
    select e.tableoid, e.ledger_id, e.payment_id
    from ledger.ledger_entries e
    where (p_ledger_id is null or e.ledger_id = p_ledger_id)
      and (p_from_id is null or e.payment_id >= p_from_id)
      and (p_until_id is null or e.payment_id < p_until_id)
  )
  select
    case when p.is_default then 'rows_in_default_partition' else 'rows_in_wrong_partition' end,
    r.ledger_id,
    'partition ' || p.partition,
    jsonb_build_object('rows', count(*), 'payment_id', min(r.payment_id::text))
  from rows r
  join partitions p on p.partition = r.tableoid
  where p.is_default
    or r.payment_id < p.from_id
    or r.payment_id >= p.until_id
  group by r.ledger_id, p.partition, p.is_default
$$;
