begin;
select plan(3);

select tests.remember();
select tests.raises(
  'select ledger.feed_end()', '{"code": "feed_in_transaction"}',
  'Who has written does not read the feed: the rest is in tests/concurrency/test_feed*.py'
);
select tests.unchanged();
select is(
  (select provolatile from pg_proc where oid = 'ledger.feed_end'::regproc), 's',
  'It is stable: all of it sees one snapshot'
);

select * from finish();
rollback;
