begin;
select plan(36);

select is(
  ledger_private.parse_time(text),
  case when utc is not null then (utc || ' UTC')::timestamptz end,
  format('%L is %s', text, coalesce(utc, 'no time'))
)
from (
  values
    ('2026-01-02T03:04:05Z', '2026-01-02 03:04:05'),
    ('2026-01-02T03:04:05.6Z', '2026-01-02 03:04:05.6'),
    ('2026-01-02T03:04:05.123456Z', '2026-01-02 03:04:05.123456'),
    ('2026-01-02T03:04:05+05:30', '2026-01-01 21:34:05'),
    ('2026-01-02T03:04:05-00:00', '2026-01-02 03:04:05'),
    ('2024-02-29T23:59:59Z', '2024-02-29 23:59:59'),
    ('0001-01-01T00:00:00Z', '0001-01-01 00:00:00'),
    ('9999-12-31T23:59:59-01:00', '10000-01-01 00:59:59'),
    (null, null), ('', null), ('now', null), ('infinity', null), ('2026-01-02', null),
    ('2026-01-02T03:04:05', null), ('2026-01-02 03:04:05Z', null), ('2026-01-02T03:04Z', null),
    ('2026-01-02T03:04:05z', null), ('2026-01-02T03:04:05.1234567Z', null),
    ('2026-01-02T03:04:05+0530', null), ('2026-01-02T03:04:05 UTC', null),
    ('2026-01-02T03:04:05ZZ', null), (E'2026-01-02T03:04:05Z\n', null),
    ('2025-02-29T00:00:00Z', null), ('2026-13-01T00:00:00Z', null), ('2026-00-01T00:00:00Z', null),
    ('2026-01-00T00:00:00Z', null), ('2026-01-01T25:00:00Z', null), ('2026-01-01T00:60:00Z', null),
    ('2026-01-01T00:00:61Z', null), ('2026-01-01T00:00:00+99:00', null),
    ('2026-01-01T00:00:00+16:00', null), ('0000-01-01T00:00:00Z', null),
    ('26-01-01T00:00:00Z', null), ('12026-01-01T00:00:00Z', null), ('٢٠٢٦-01-01T00:00:00Z', null)
) as times (text, utc);

set local timezone = 'Asia/Kathmandu';
set local datestyle = 'German, DMY';
select is(
  ledger_private.parse_time('2026-01-02T03:04:05Z'),
  to_timestamp(1767323045), 'whatever the session''s time zone and date style'
);

select * from finish();
rollback;
