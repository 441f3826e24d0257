begin;
select plan(10);

create temporary table times as
select *
from (
  values
    ('2026-01-02 03:04:05Z'::timestamptz, '2026-01-02T03:04:05.000000Z'),
    ('2026-01-02 03:04:05.6+05:45', '2026-01-01T21:19:05.600000Z'),
    ('2026-03-29 01:30:00.123456Z', '2026-03-29T01:30:00.123456Z'),
    ('0001-01-01Z', '0001-01-01T00:00:00.000000Z'),
    ('9999-12-31 23:59:59.999999Z', '9999-12-31T23:59:59.999999Z')
) as t (at, text);
select is(ledger_private.utc_text(at), text, text) from times;
set local timezone = 'Europe/Berlin';
set local datestyle = 'SQL, MDY';
set local lc_time = 'C';
select is(ledger_private.utc_text(at), text, text || ', whatever the session''s settings') from times;

select * from finish();
rollback;
