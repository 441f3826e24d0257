begin;
select plan(6);

select is(ledger_private.payment_id_at(at::timestamptz)::text, id, 'The lowest id of ' || at)
from (
  values
    ('1970-01-01Z', '00000000-0000-0000-0000-000000000000'),
    ('1970-01-01 00:00:00.001Z', '00000000-0001-0000-0000-000000000000'),
    ('1970-01-01 00:00:00.001999Z', '00000000-0001-0000-0000-000000000000'),
    ('2026-11-23 07:00:00.123Z', '01a20734-55fb-0000-0000-000000000000'),
    ('9999-12-31 23:59:59.999Z', 'e677d21f-dbff-0000-0000-000000000000')
) as moments (at, id);
select is(
  (select array_agg(at) from (
    select at, lag(ledger_private.payment_id_at(at)) over (order by at) >= ledger_private.payment_id_at(at) as wrong
    from generate_series('2020-01-01Z'::timestamptz, '2050-01-01Z', '17 days 3 hours 7.013 s') at
  ) moments where wrong),
  null, 'Later moments have higher ids'
);

select * from finish();
rollback;
