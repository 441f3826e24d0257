begin;
select plan(10);

select lives_ok(
  $$
    select
      ledger_private.build_partition('payments', 'payments_probe'),
      ledger_private.build_partition('ledger_entries', 'ledger_entries_probe')
  $$,
  'Two are built'
);
select is(
  (select array_agg(format('%s %s %s', attname, format_type(atttypid, atttypmod), attnotnull) order by attnum)
    from pg_attribute where attrelid = ('ledger.' || parent || '_probe')::regclass and attnum > 0),
  (select array_agg(format('%s %s %s', attname, format_type(atttypid, atttypmod), attnotnull) order by attnum)
    from pg_attribute where attrelid = ('ledger.' || parent)::regclass and attnum > 0),
  format('It has the columns of %s', parent)
)
from unnest(array['payments', 'ledger_entries']) parent;
select is(
  pg_get_userbyid(relowner)::text || coalesce(relacl::text, ''), 'ledger_owner',
  format('%s is ledger_owner''s alone', relname)
)
from pg_class
where relname in ('payments_probe', 'ledger_entries_probe');
select is(
  (select count(*) from pg_index where indrelid = 'ledger.ledger_entries_probe'::regclass
    and indisunique and indkey::text = (
      select string_agg(attnum::text, ' ' order by array_position(array['account_id', 'version'], attname::text))
      from pg_attribute where attrelid = indrelid and attname in ('account_id', 'version'))),
  1::bigint, 'An account''s versions are unique in it'
);
select throws_ok(
  format('truncate ledger.%s', name), 'LG801', null, format('%s refuses TRUNCATE, even apart', name)
)
from unnest(array['payments_probe', 'ledger_entries_probe']) name;
set local session_replication_role = replica;
select throws_ok(
  format('truncate ledger.%s', name), 'LG801', null, format('%s refuses it always', name)
)
from unnest(array['payments_probe', 'ledger_entries_probe']) name;

select * from finish();
rollback;
