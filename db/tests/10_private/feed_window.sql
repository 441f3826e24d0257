begin;
select plan(1);

-- pgTAP writes, so the feed refuses to be read here. What a window is made of is tested with
-- ledger_private.feed_page, what it gives in tests/concurrency/test_feed*.py and tests/relay.
select tests.raises(
  'select * from ledger_private.feed_window(null, 1, true)', '{"code": "feed_in_transaction"}',
  'Who has written does not read the feed'
);

select * from finish();
rollback;
