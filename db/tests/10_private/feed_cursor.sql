begin;
select plan(3);

create temporary table lowest as select '00000000-0000-0000-0000-000000000000'::uuid as id;

select is(
  ledger_private.feed_cursor('1.7.00000001.5', '4:9:4,6', id, id, '3:3:', 12)::text,
  '{"low": "00000000-0000-0000-0000-000000000000", "high": "00000000-0000-0000-0000-000000000000", '
  '"epoch": "1.7.00000001.5", "since": "4:9:4,6", "swept": "3:3:", "swept_at": 12}',
  'A cursor after a window'
)
from lowest;
select is(
  ledger_private.feed_cursor(
    '1.7.00000001.5', '4:9:4,6', id, id, '3:3:', 12, '9:20:9', false, '18', id
  ) - array['low', 'high', 'epoch', 'since', 'swept', 'swept_at'],
  '{"upto": "9:20:9", "sweeping": false, "after_xid": "18",
    "after_payment_id": "00000000-0000-0000-0000-000000000000"}',
  'Between two pages it also has the end of the window and the place in it'
)
from lowest;
select is(
  ledger_private.feed_cursor(epoch, since, low, high, swept, swept_at, upto, sweeping, after_xid,
    after_payment_id),
  ledger_private.feed_cursor('1.7.00000001.5', '3:3:', id, id, '3:3:', 0),
  'parse_feed_cursor takes it apart'
)
from
  lowest,
  ledger_private.parse_feed_cursor(
    ledger_private.feed_cursor('1.7.00000001.5', '3:3:', id, id, '3:3:', 0)
  );

select * from finish();
rollback;
