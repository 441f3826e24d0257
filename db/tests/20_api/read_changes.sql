begin;
select plan(12);
select tests.open_accounts();

-- pgTAP writes, so here the feed refuses to be read at all. What it gives is shown in
-- tests/concurrency/test_changes.py.
select tests.remember();
select tests.raises(
  'select * from ledger.read_changes()', '{"code": "feed_in_transaction"}',
  'Who has written does not read the feed'
);
select tests.raises(
  format('select * from ledger.read_changes(null, %s)', coalesce(n::text, 'null')),
  json_build_object('code', 'limit_out_of_range', 'limit', n)::jsonb::text,
  format('A page of %s is refused', n)
)
from unnest(array[0, -1, 5001, null]) n;
select tests.raises(
  format('select * from ledger.read_changes(%L)', cursor),
  jsonb_build_object('code', 'feed_cursor_malformed', 'cursor', reported)::text,
  format('No cursor: %s', cursor)
)
from (
  values
    ('(,,,,,,,3:3:,)', '{}'), ('(1.7.00000001.5,,,,,,,3:3:,)', '{"epoch": "1.7.00000001.5"}'),
    ('(,,,,,,,3:3:,{})', '{}'), ('(,,,,,,,3:3:,"[1, 2]")', '[1, 2]')
) as cursors (cursor, reported);
select tests.raises(
  format('select * from ledger.read_changes(%L)', '(,,,,,,,,{})'),
  jsonb_build_object(
    'code', 'feed_cursor_malformed',
    'cursor', to_jsonb('(,,,,,,,,{})'::ledger.changes_cursor)::text
  )::text,
  'A cursor has a place in the account changes'
);
select tests.unchanged();

select is(
  (select provolatile from pg_proc where oid = 'ledger.read_changes'::regproc), 's',
  'It is stable: all of it sees one snapshot'
);

select * from finish();
rollback;
