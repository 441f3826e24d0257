begin;
select plan(9);

-- pgTAP writes, so the feed refuses to be read here. What is told is shown in
-- tests/concurrency/test_changes.py.
create function pg_temp.asked(p_swept_at bigint, p_limit int)
returns text
language sql
as $$
  select format(
    'select ledger_private.changes_since(%L, %s)',
    row(
      '1.7.00000001.5', 1, '3:3:'::pg_snapshot, lpad('1', 32, '0')::uuid, lpad('2', 32, '0')::uuid,
      '3:3:'::pg_snapshot, p_swept_at, '3:3:'::pg_snapshot, null::jsonb
    )::ledger.changes_cursor,
    coalesce(p_limit::text, 'null')
  )
$$;

select tests.remember();
select tests.raises(
  'select ledger_private.changes_since(null, 1)', '{"code": "feed_in_transaction"}',
  'Who has written has no first cursor'
);
select tests.raises(
  pg_temp.asked(0, 1), '{"code": "feed_in_transaction"}', 'and reads nothing, where a sweep is due'
);
select tests.raises(
  pg_temp.asked(floor(extract(epoch from clock_timestamp()) * 1000)::bigint, 1),
  '{"code": "feed_in_transaction"}', 'nor where none is'
);
select tests.raises(
  pg_temp.asked(floor(extract(epoch from clock_timestamp()) * 1000)::bigint, n),
  json_build_object('code', 'limit_out_of_range', 'limit', n)::jsonb::text,
  format('A page of %s is refused first', n)
)
from unnest(array[0, -1, 5001, null]) n;
select tests.unchanged();
select is(
  (select provolatile from pg_proc where oid = 'ledger_private.changes_since'::regproc), 's',
  'It is stable: all of it sees one snapshot'
);

select * from finish();
rollback;
