begin;
select plan(2);

-- This transaction has an id: pgTAP writes. What feed_epoch gives others is in
-- tests/concurrency/test_feed_epochs.py.
select isnt(pg_current_xact_id_if_assigned(), null, 'This transaction has written');
select tests.raises(
  'select ledger_private.feed_epoch()', '{"code": "feed_in_transaction"}',
  'Who has written does not read the feed'
);

select * from finish();
rollback;
