begin;
select plan(52);

create temporary table cursors as
select
  ledger_private.feed_cursor('1.7.00000001.5', '4:9:4,6', id, id, '3:3:', 12) as polled,
  ledger_private.feed_cursor(
    '1.7.00000001.5', '4:9:4,6', id, id, '3:3:', 12, '9:20:9', false, '18', id
  ) as paged
from (values ('00000000-0000-0000-0000-000000000000'::uuid)) lowest (id);

select is(
  row(c.*)::text,
  '(,3:3:,00000000-0000-0000-0000-000000000000,00000000-0000-0000-0000-000000000000,3:3:,0,,,,)',
  'Null is the beginning of any epoch'
)
from ledger_private.parse_feed_cursor(null) c;
select is(
  row(epoch, since, swept, swept_at, upto, sweeping, after_xid)::text,
  '(1.7.00000001.5,"4:9:4,6",3:3:,12,,,)', 'The parts of a cursor'
)
from cursors, ledger_private.parse_feed_cursor(polled);
select is(
  row(upto, sweeping, after_xid, after_payment_id)::text,
  '(9:20:9,f,18,00000000-0000-0000-0000-000000000000)', 'The parts of one between two pages'
)
from cursors, ledger_private.parse_feed_cursor(paged);

create function pg_temp.refuses(p_cursor jsonb)
returns text
language sql
as $$
  select tests.raises(
    format('select ledger_private.parse_feed_cursor(%L)', p_cursor),
    jsonb_build_object('code', 'feed_cursor_malformed', 'cursor', left(p_cursor::text, 1000))::text,
    'Refused: ' || left(p_cursor::text, 60)
  )
$$;

select pg_temp.refuses(polled - key)
from cursors, jsonb_object_keys(polled) key;
select pg_temp.refuses(paged - key)
from cursors, unnest(array['upto', 'sweeping', 'after_xid', 'after_payment_id']) key;
select pg_temp.refuses(paged || jsonb_build_object(key, null))
from cursors, jsonb_object_keys(paged) key;
select pg_temp.refuses(polled || change::jsonb)
from
  cursors,
  unnest(array[
    '{"other": 1}', '{"epoch": 1}', '{"epoch": "1"}', '{"epoch": "1.7.1.5"}',
    '{"epoch": "12345678901.7.00000001.5"}', '{"since": "4:9"}', '{"since": "9:4:"}',
    '{"since": "04:9:"}', '{"since": "4:9:6,4"}', '{"since": 4}', '{"since": [4]}',
    '{"low": "0"}', '{"high": {}}', '{"swept": "x"}', '{"swept_at": -1}', '{"swept_at": "12"}',
    '{"swept_at": 253402300800000}', '{"swept_at": 1.5}', '{"swept_at": 1e400}'
  ]) change;
select pg_temp.refuses(paged || change::jsonb)
from
  cursors,
  unnest(array[
    '{"sweeping": "f"}', '{"after_xid": 18}', '{"after_xid": "018"}', '{"after_xid": "x"}'
  ]) change;
select pg_temp.refuses(cursor::jsonb)
from unnest(array['null', '1', '"x"', '[]', '{}', '[{}]']) cursor;

select * from finish();
rollback;
