begin;
select plan(13);

-- pgTAP writes, so the feed refuses to be read here. What is told is shown in tests/relay.
create function pg_temp.asked(p_arguments text)
returns text
language sql
as $$
  select format('select * from ledger.tell_changes(%s)', p_arguments)
$$;

select tests.remember();
select tests.raises(
  pg_temp.asked($$1, 'g', null, true, 'e'$$),
  '{"code": "feed_in_transaction"}', 'Who has written tells nothing'
);
select tests.raises(
  pg_temp.asked(arguments),
  jsonb_build_object('code', 'argument_invalid', 'argument', argument, 'reason', reason)::text,
  'Nobody can be told so: ' || arguments
)
from (
  values
    ($$null, 'g', null, true, 'e'$$, 'p_term', 'null'),
    ($$1, null, null, true, 'e'$$, 'p_generation', 'null'),
    ($$1, 'g', null, null, 'e'$$, 'p_heartbeat', 'null'),
    ($$1, 'g', null, true, null$$, 'p_epoch', 'null')
) as refused (arguments, argument, reason);
select tests.raises(
  pg_temp.asked(format($$1, 'g', null, true, 'e', %s$$, coalesce(n::text, 'null'))),
  json_build_object('code', 'limit_out_of_range', 'limit', n)::jsonb::text,
  format('A page of %s is refused', n)
)
from unnest(array[0, -1, 5001, null]) n;
select tests.raises(
  pg_temp.asked(format($$1, 'g', %L, true, 'e'$$, '(1.7.00000001.5,,,,,,,3:3:,)')),
  jsonb_build_object('code', 'feed_cursor_malformed', 'cursor', '{"epoch": "1.7.00000001.5"}')::text,
  'What is no cursor is refused'
);
select tests.unchanged();
select is(
  (select provolatile from pg_proc where oid = 'ledger.tell_changes'::regproc), 'v',
  'It writes: it sends, and prolongs the lease'
);
select ok(
  (select 'lock_timeout=1s' = any (proconfig) from pg_proc where oid = 'ledger.tell_changes'::regproc),
  'and waits for no lock for long'
);

select * from finish();
rollback;
