begin;
select plan(11);

select is(
  ledger_private.feed_reaches(snapshot::pg_snapshot, known::pg_snapshot), expected, description
)
from (
  values
    ('20:20:', '20:20:', true, 'The same snapshot'),
    ('20:25:20', '20:20:', true, 'A later one'),
    ('18:25:18,21', '18:20:18', true, 'A later one with what was running and still is'),
    ('18:25:18', '18:20:18,19', true, 'A later one when something has ended'),
    ('18:20:18,19', '18:20:18', false, 'An older one, where more was running'),
    ('18:20:18', '20:20:', false, 'An older one, where something was running'),
    ('10:10:', '11:11:', false, 'An older one that ends before'),
    ('10:10:', '5:11:5', false, 'An older one with less running')
) as snapshots (snapshot, known, expected, description);

select is(
  ledger_private.feed_reaches(
    '10:10:', (x || ':' || x || ':')::pg_snapshot
  ),
  false, 'One that ends with the newest transaction of the database'
)
from (select (pg_current_xact_id()::text::bigint + 1)::text as x) newest;
select tests.raises(
  format('select ledger_private.feed_reaches(''10:10:'', %L)', x || ':' || x || ':'),
  jsonb_build_object('code', 'feed_cursor_ahead', 'cursor_xid', x, 'database_xid', '10')::text,
  'Ahead of the database: ' || x
)
from (
  values
    ((pg_current_xact_id()::text::bigint + 1000000)::text), ('9223372036854775807')
) as ahead (x);

select * from finish();
rollback;
