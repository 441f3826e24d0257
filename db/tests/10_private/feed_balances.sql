begin;
select plan(7);
select tests.open_accounts();
create temporary table posted as
select 'k1' as key, payment_id from ledger.post_payment('k1', 'alice', 'bob', 70, 'USD')
union all
select 'k2', payment_id from ledger.post_payment('k2', 'alice', 'bob', 5, 'USD')
union all
select 'k3', payment_id
from ledger.post_compound_payment(
  'k3',
  '[{"from": "bob", "to": "carol", "amount": "30", "currency": "USD"},
    {"from": "carol", "to": "bob", "amount": "1", "currency": "USD"}]'
);

create function pg_temp.told(p_keys text[], p_low text default '0', p_high text default 'f')
returns text
language sql
as $$
  select string_agg(
    format('%s/%s v%s %s %s %s', l, c ->> 0, c ->> 1, c ->> 2, c ->> 3, c ->> 4), ', '
    order by c ->> 0
  )
  from unnest(
    ledger_private.feed_balances(
      (select array_agg(payment_id) from posted where key = any (p_keys)),
      rpad(p_low, 32, p_low)::uuid, rpad(p_high, 32, p_high)::uuid
    )
  ) change
  cross join lateral (select change::json -> 0 as l, change::json -> 1 as c) parsed
$$;

select is(pg_temp.told('{k1}'), '1/alice v2 USD 430 0, 1/bob v1 USD 70 0', 'As of the payment');
select is(
  pg_temp.told('{k1,k2}'), '1/alice v3 USD 425 0, 1/bob v2 USD 75 0',
  'Of two payments the newest, whatever was posted since'
);
select is(
  pg_temp.told('{k2,k1,k3}'), '1/alice v3 USD 425 0, 1/bob v4 USD 46 0, 1/carol v2 USD 29 0',
  'In whatever order; of several entries in a payment the newest'
);
select is(pg_temp.told('{k1}', p_high => '0'), null, 'Ids out of the range are not looked for');
select is(
  ledger_private.feed_balances('{}', repeat('0', 32)::uuid, repeat('f', 32)::uuid)::text, '{}',
  'No payments, no balances'
);

-- As read_changes has it planned.
set local enable_seqscan = off;
set local plan_cache_mode = force_generic_plan;
create function pg_temp.entries_read()
returns bigint
language sql
as $$
  select sum(pg_stat_get_xact_tuples_returned(i.indexrelid))::bigint
  from pg_partition_tree('ledger.ledger_entries') p
  join pg_index i on i.indrelid = p.relid
$$;
create temporary table reading as select pg_temp.entries_read() as before;
select pg_temp.told('{k1}') as told \gset
select is(
  pg_temp.entries_read() - before, 2::bigint,
  'Entries of other payments in the range are not even looked at'
)
from reading;
select tests.books();

select * from finish();
rollback;
