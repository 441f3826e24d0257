begin;
select plan(5);

select is(ledger_private.payment_id_time(id::uuid), at::timestamptz, 'The moment in ' || id)
from (
  values
    ('00000000-0000-0000-0000-000000000000', '1970-01-01Z'),
    ('00000000-0001-7fff-bfff-ffffffffffff', '1970-01-01 00:00:00.001Z'),
    ('01a20734-55fb-7abc-8def-0123456789ab', '2026-11-23 07:00:00.123Z'),
    ('0699e991-a7ff-7fff-bfff-ffffffffffff', '2199-12-31 23:59:59.999Z')
) as ids (id, at);
select is(
  (
    select array_agg(at)
    from generate_series('2020-01-01Z'::timestamptz, '2050-01-01Z', '3 days 3 hours 7.013 s') at
    where ledger_private.payment_id_time(ledger_private.payment_id_at(at)) <> at
  ),
  null, 'It is what payment_id_at was asked for'
);

select * from finish();
rollback;
