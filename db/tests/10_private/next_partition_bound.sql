begin;
select plan(22);

create temporary table bounds as
select *
from (
  values
    ('2026-02-27 23:59:59.999Z', '1 day', '2026-02-28Z'), ('2026-02-28Z', '1 day', '2026-03-01Z'),
    ('2026-11-23Z', '1 week', '2026-11-30Z'), ('2026-11-29 23:59Z', '1 week', '2026-11-30Z'),
    ('2026-12-31Z', '1 week', '2027-01-04Z'),
    ('2024-02-29Z', '1 month', '2024-03-01Z'), ('2026-12-31 23:59Z', '1 month', '2027-01-01Z'),
    ('2026-01-01Z', '1 month', '2026-02-01Z'),
    ('2026-11-23Z', '3 months', '2027-01-01Z'), ('2026-01-01Z', '3 months', '2026-04-01Z'),
    ('2026-11-23Z', '1 year', '2027-01-01Z')
) as b (after, width, bound);
select is(
  ledger_private.next_partition_bound(after::timestamptz, width::interval), bound::timestamptz,
  format('After %s comes %s with %s', after, bound, width)
)
from bounds;
set local timezone = 'Pacific/Apia';
select is(
  ledger_private.next_partition_bound(after::timestamptz, width::interval), bound::timestamptz,
  format('in UTC, wherever one is: %s, %s', bound, width)
)
from bounds;

select * from finish();
rollback;
