begin;
select plan(3);

create function pg_temp.feed()
returns jsonb
language sql
as $$
  select ledger_private.feed_cursor(
    '2.7.00000001.5', '4:9:4,6', lpad('1', 32, '0')::uuid, lpad('2', 32, '0')::uuid, '3:3:', 12
  )
$$;

select is(
  to_jsonb(ledger_private.changes_cursor(pg_temp.feed(), '5:8:6')),
  '{"epoch": "2.7.00000001.5", "feed_epoch": 2, "since": "4:9:4,6",
    "low": "00000000-0000-0000-0000-000000000001", "high": "00000000-0000-0000-0000-000000000002",
    "swept": "3:3:", "swept_at": 12, "accounts": "5:8:6", "page": null}',
  'The feed''s cursor taken apart, with the place in the account changes'
);
select is(
  ledger_private.feed_cursor(c.epoch, c.since, c.low, c.high, c.swept, c.swept_at),
  pg_temp.feed(), 'can be put together again'
)
from ledger_private.changes_cursor(pg_temp.feed(), '5:8:6') c;
select tests.raises(
  $$select ledger_private.changes_cursor('{"epoch": "2"}', '5:8:6')$$,
  '{"code": "feed_cursor_malformed", "cursor": "{\"epoch\": \"2\"}"}',
  'What is no cursor of the feed makes none of the changes'
);

select * from finish();
rollback;
