-- There is a partition for the time after the current one, and no row had to go to the default:
-- between the bounds of the other partitions, before the first and after the last there is none.
create or replace function ledger_private.check_installation_partitions()
returns table (problem text, subject text, detail text)
language sql
stable
as $$
  with bounds as materialized (
    select parent, b.from_id, b.until_id
    from unnest('{ledger.payments,ledger.ledger_entries}'::regclass[]) parent
    cross join lateral ledger_private.partitions(parent) b
  ),
  gaps as materialized (
    select
      parent,
      lag(until_id, 1, '00000000-0000-0000-0000-000000000000') over bound as from_id,
      from_id as until_id
    from (
      select parent, from_id, until_id
      from bounds
      where coalesce(from_id, until_id) is not null
      union all
      select distinct parent, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid, null::uuid
      from bounds
    ) b
    window bound as (partition by parent order by from_id nulls first)
  ),
  strays as (
    select g.parent
    from gaps g
    -- A lateral LIMIT is looked up gap by gap, in the default partition alone.
    cross join lateral (
      select from ledger.payments p
      where p.payment_id >= g.from_id and p.payment_id < g.until_id limit 1
    ) stray
    where g.parent = 'ledger.payments'::regclass
    union
    select g.parent
    from gaps g
    cross join lateral (
      select from ledger.ledger_entries e
      where e.payment_id >= g.from_id and e.payment_id < g.until_id limit 1
    ) stray
    where g.parent = 'ledger.ledger_entries'::regclass
  )
  select
    'partitions_not_ahead',
    'table ' || parent,
    'ledger.maintain_partitions did not run or could not: run it and see what it says'
  from bounds
  group by parent
  having count(*) filter (
    where from_id > ledger_private.payment_id_at(clock_timestamp())
  ) = 0
  union all
  select
    'default_partition_in_use',
    'table ' || parent,
    'ledger.maintain_partitions was late: run it and see what it says'
  from strays
$$;
