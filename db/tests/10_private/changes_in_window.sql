begin;
select plan(9);

-- pgTAP writes, so the feed refuses to be read here. What is told is shown in
-- tests/concurrency/test_changes.py.
select tests.remember();
select tests.raises(
  'select ledger_private.changes_in_window(null, 1, pg_current_snapshot())',
  '{"code": "feed_in_transaction"}', 'Who has written has no first cursor'
);
select tests.raises(
  format(
    'select ledger_private.changes_in_window(%L, %s, pg_current_snapshot())',
    '(1.7.00000001.5,,,,,,,,)', coalesce(n::text, 'null')
  ),
  json_build_object('code', 'limit_out_of_range', 'limit', n)::jsonb::text,
  format('A page of %s is refused, before the cursor is looked at', n)
)
from unnest(array[0, -1, 5001, null]) n;
select tests.raises(
  format('select ledger_private.changes_in_window(%L, 1, pg_current_snapshot())', cursor),
  jsonb_build_object('code', 'feed_cursor_malformed', 'cursor', reported)::text,
  format('No cursor: %s', cursor)
)
from (
  values
    (
      '(1.7.00000001.5,,,,,,,,)',
      '{"low": null, "high": null, "page": null, "epoch": "1.7.00000001.5", "since": null, '
      '"swept": null, "accounts": null, "swept_at": null, "feed_epoch": null}'
    ),
    ('(1.7.00000001.5,,,,,,,3:3:,)', '{"epoch": "1.7.00000001.5"}'),
    ('(,,,,,,,3:3:,"{""a"": 1}")', '{"a": 1}')
) as cursors (cursor, reported);
select tests.unchanged();

select * from finish();
rollback;
