-- The first boundary of partitions of this width after a moment: days, weeks (from Monday),
-- months, quarters and years in UTC.
create or replace function ledger_private.next_partition_bound(
  p_after timestamptz,
  p_width interval
)
returns timestamptz
language sql
stable parallel safe
as $$
  select (
    date_trunc(
      case p_width
        when '1 day' then 'day'
        when '1 week' then 'week'
        when '1 month' then 'month'
        when '3 months' then 'quarter'
        when '1 year' then 'year'
      end,
      p_after at time zone 'UTC'
    )
    + p_width
  ) at time zone 'UTC'
$$;
