-- Names and times of partitions are of an installation at the time of the test run, so the test
-- begins with none.
begin;
select plan(42);
select tests.open_accounts();

create function pg_temp.partitions(p_parent text)
returns text
language sql
as $$
  select string_agg(
    format(
      '%s %s..%s', partition,
      to_char(ledger_private.payment_id_time(from_id) at time zone 'UTC', 'YYYY-MM-DD'),
      to_char(ledger_private.payment_id_time(until_id) at time zone 'UTC', 'YYYY-MM-DD')
    ),
    ', '
    order by from_id
  )
  from ledger_private.partitions(p_parent::regclass)
$$;

-- As installed

select is(
  (select count(*) from ledger_private.partitions(parent)), 5::bigint,
  format('%s has the running month, three ahead and a default', parent)
)
from unnest(array['ledger.payments', 'ledger.ledger_entries']::regclass[]) parent;
select is_empty(
  format('select * from only %s', partition), format('%s is empty: rows go where they belong', partition)
)
from unnest(array['ledger.payments_default', 'ledger.ledger_entries_default']) partition;
select is_empty('select * from ledger.maintain_partitions()', 'There is nothing to do');

select tests.raises(
  format('select * from ledger.maintain_partitions(%L)', p_now),
  '{"code": "argument_invalid", "reason": "null or infinite", "argument": "p_now"}',
  'Nothing is ahead of ' || coalesce(p_now, 'null')
)
from unnest(array[null, 'infinity', '-infinity']) p_now;

-- Time passes

select results_eq(
  $$select * from ledger.maintain_partitions(date_trunc('month', now(), 'UTC') + '40 days')$$,
  format(
    $$values ('payments_%1$s', 'created'), ('ledger_entries_%1$s', 'created')$$,
    to_char(date_trunc('month', now() at time zone 'UTC') + interval '4 months', 'YYYYMMDD')
  ),
  'A month later one more is made of each'
);
select is_empty(
  $$select * from ledger.maintain_partitions(date_trunc('month', now(), 'UTC') + '40 days')$$,
  'once'
);
select is(
  (
    select count(*)
    from ledger_private.partitions('ledger.payments'::regclass) a
    join ledger_private.partitions('ledger.payments'::regclass) b
      on a.until_id > b.from_id and a.from_id < b.until_id and a.partition <> b.partition
  ),
  0::bigint, 'No two overlap'
);

-- What only partitions have

select is(
  (
    select count(*)
    from pg_index i
    where i.indrelid = partition
      and i.indisunique
      and pg_get_indexdef(i.indexrelid) like '%(account_id, version)'
  ),
  1::bigint, format('In %s an account''s versions are unique', partition)
)
from ledger_private.partitions('ledger.ledger_entries');
select is(
  (
    select string_agg(format('%s %s', tgname, tgenabled), ', ' order by tgname)
    from pg_trigger
    where tgrelid = partition
  ),
  'refuse_change A, refuse_truncate A',
  format('%s refuses changes and TRUNCATE, always', partition)
)
from unnest(array['ledger.payments', 'ledger.ledger_entries']::regclass[]) parent,
  ledger_private.partitions(parent);
select is(
  pg_get_userbyid(relowner)::text || coalesce(relacl::text, ''), 'ledger_owner',
  format('%s belongs to ledger_owner and is granted to nobody', oid::regclass)
)
from pg_class
where oid in (select partition from ledger_private.partitions('ledger.payments'))
  or oid in (select partition from ledger_private.partitions('ledger.ledger_entries'));

-- Another width

update ledger_private.settings set partition_width = '1 day', partitions_ahead = 5;
create temporary table far as
select date_trunc('month', now(), 'UTC') + interval '5 months' as at;
select is(
  (
    select string_agg(partition || ' ' || action, ', ')
    from far, ledger.maintain_partitions(at - interval '1 s')
  ),
  (
    select string_agg(
      format('%s_%s created', parent, to_char(at at time zone 'UTC' + n * interval '1 day', 'YYYYMMDD')),
      ', ' order by parent desc, n
    )
    from far, unnest(array['payments', 'ledger_entries']) parent, generate_series(0, 4) n
  ),
  'From the end of the last one on, partitions of the new width'
);

select * from finish();
rollback;
