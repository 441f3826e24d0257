begin;
select plan(13);
select tests.open_accounts();

-- pgTAP writes, so here the feed refuses to be read at all. What it gives is shown in
-- tests/concurrency/test_feed*.py, and by the tests of ledger_private.feed_page.
select tests.remember();
select tests.raises(
  'select * from ledger.read_feed()', '{"code": "feed_in_transaction"}',
  'Who has written does not read the feed'
);
select tests.raises(
  format('select * from ledger.read_feed(null, %s)', coalesce(n::text, 'null')),
  json_build_object('code', 'limit_out_of_range', 'limit', n)::jsonb::text,
  format('A page of %s is refused', n)
)
from unnest(array[0, -1, 1001, null]) n;
select tests.raises(
  format('select * from ledger.read_feed(%L, 0)', '{}'),
  '{"code": "limit_out_of_range", "limit": 0}', 'The limit is judged first'
);
select tests.raises(
  format('select * from ledger.read_feed(%L)', cursor),
  jsonb_build_object('code', 'feed_cursor_malformed', 'cursor', cursor)::text,
  format('No cursor: %s', cursor)
)
from unnest(array['null', '{}', '[1, 2]', '"3:3:"', '{"epoch": "1.7.00000001.5"}']) cursor;
select tests.unchanged();

select is(
  (select provolatile from pg_proc where oid = 'ledger.read_feed'::regproc), 's',
  'It is stable: all of it sees one snapshot'
);

select * from finish();
rollback;
