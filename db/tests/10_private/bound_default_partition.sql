begin;
select plan(11);

select is(
  ledger_private.bound_default_partition(parent), null, format('The default of %s is empty', parent)
)
from unnest(array['payments', 'ledger_entries']) parent;

-- Strays, from 2000-01-01 to 2000-01-02: no partition was ever made for them.
insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
select
  overlay(
    ledger_private.payment_id_at('2000-01-01Z'::timestamptz + n * interval '12 hours')::text
    placing '7abc-8def-0123456789ab' from 15 for 22
  )::uuid,
  now(), 1, 1, 'stray', '{}'
from generate_series(0, 2) n;
select is(
  (select array_agg(distinct tableoid::regclass::text) from ledger.payments where kind = 'stray'),
  array['ledger.payments_default'], 'Rows of a time without a partition go to the default'
);
select is(
  ledger_private.bound_default_partition('payments'), 'became payments_stray_20000101t000000000',
  'It becomes an ordinary partition'
);
select is(
  (
    select format('%s %s', from_id, until_id)
    from ledger_private.partitions('ledger.payments')
    where partition = 'ledger.payments_stray_20000101t000000000'::regclass
  ),
  (
    select format('%s %s', min(payment_id::text), ledger_private.payment_id_at('2000-01-02 00:00:00.001Z'))
    from ledger.payments where kind = 'stray'
  ),
  'with the range of its rows'
);
select is(
  (select count(*) from ledger.payments where kind = 'stray'), 3::bigint, 'All rows are there'
);
select is_empty('select * from ledger.payments_default', 'and the new default is empty');
select is(
  (select string_agg(format('%s%s', tgname, tgenabled), ' ' order by tgname) from pg_trigger
    where tgrelid = table_name::regclass),
  'refuse_changeA refuse_truncateA', format('%s is append-only', table_name)
)
from unnest(array['ledger.payments_default', 'ledger.payments_stray_20000101t000000000']) table_name;

-- Strays on both sides of a partition cannot have one range.
insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
select ledger_private.payment_id_at(at), now(), 1, 1, 'stray', '{}'
from unnest(array['1999-01-01Z', '2001-01-01Z']::timestamptz[]) at;
select tests.remember();
select is(
  ledger_private.bound_default_partition('payments'),
  'holds rows on both sides of other partitions: left as it is', 'That is said, and they stay'
);
select tests.unchanged();

select * from finish();
rollback;
