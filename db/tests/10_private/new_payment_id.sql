begin;
select plan(11);

create temporary table made as
select n, clock_timestamp() as before, ledger_private.new_payment_id() as id,
  clock_timestamp() as after
from generate_series(1, 2000) n;
select is((select count(distinct id) from made), 2000::bigint, 'No two are the same');
select is_empty(
  $$select id from made where id::text !~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'$$,
  'Each is a UUID of version 7 and of the usual variant'
);
select is_empty(
  $$
    select id
    from made
    where ledger_private.payment_id_time(id)
      not between before - interval '1 ms' and after + interval '1 ms'
  $$,
  'Each tells its time, to the millisecond'
);
select cmp_ok(
  (select count(distinct get_byte(uuid_send(id), byte)) from made), '>', 100::bigint,
  format('Byte %s is random', byte)
)
from generate_series(9, 15) byte;
select cmp_ok(
  (select count(distinct get_byte(uuid_send(id), 8)) from made), '>', 30::bigint,
  'Byte 8 is random but for the variant'
);

select * from finish();
rollback;
