begin;
select plan(26);

select results_eq(
  $$
    select name, idempotency_retention, metadata, created_at > clock_timestamp() - interval '10 s',
      ledger_id > 1, created
    from ledger.create_ledger('shop-2')
  $$,
  $$values ('shop-2', null::interval, '{}'::jsonb, true, true, true)$$,
  'A new ledger keeps its keys for ever'
);
select results_eq(
  $$
    select name, idempotency_retention, metadata, created
    from ledger.create_ledger('short', '1 day 2 hours', '{"a": 1}')
  $$,
  $$values ('short', '1 day 2 hours'::interval, '{"a": 1}'::jsonb, true)$$,
  'or for as long as is said'
);

select tests.remember();
select is(
  row(ledger_id, created)::text, row((ledger.find_ledger('short')).ledger_id, false)::text,
  'The same content again returns the ledger that is there'
)
from ledger.create_ledger('short', '26 hours', '{"a": 1}');
select is(row(ledger_id, created)::text, '(1,f)', 'Ledger 1, main, is there from the start')
from ledger.create_ledger('main');
select tests.raises(
  format('select * from ledger.create_ledger(%s)', arguments),
  '{"code": "ledger_exists", "name": "short"}', 'Other content: ' || arguments
)
from unnest(
  array[
    $$'short'$$, $$'short', '1 day', '{"a": 1}'$$, $$'short', null, '{"a": 1}'$$,
    $$'short', '26 hours', '{}'$$
  ]
) as arguments;
select tests.raises(
  format('select * from ledger.create_ledger(%s)', arguments), detail, left(arguments, 40)
)
from (
  values
    ('null', '{"code": "ledger_name_malformed", "name": null}'),
    ($$''$$, '{"code": "ledger_name_malformed", "name": ""}'),
    ($$'Main'$$, '{"code": "ledger_name_malformed", "name": "Main"}'),
    ($$'a_b'$$, '{"code": "ledger_name_malformed", "name": "a_b"}'),
    ($$'a/b'$$, '{"code": "ledger_name_malformed", "name": "a/b"}'),
    ($$'ä'$$, '{"code": "ledger_name_malformed", "name": "ä"}'),
    ($$E'a\n'$$, '{"code": "ledger_name_malformed", "name": "a\n"}'),
    (
      quote_literal(repeat('n', 64)),
      format('{"code": "ledger_name_malformed", "name": "%s"}', repeat('n', 64))
    ),
    ($$'a', '0'$$, '{"code": "retention_invalid", "retention": "00:00:00"}'),
    ($$'a', '-1 day'$$, '{"code": "retention_invalid", "retention": "-1 days"}'),
    ($$'a', '59 minutes 59.999999 s'$$,
      '{"code": "retention_invalid", "retention": "00:59:59.999999"}'),
    ($$'a', p_metadata => null$$, '{"code": "metadata_not_object"}'),
    ($$'a', p_metadata => '7'$$, '{"code": "metadata_not_object"}'),
    ($$'a', p_metadata => jsonb_build_object('a', repeat('x', 16376))$$,
      '{"code": "metadata_too_large", "bytes": 16385, "limit": 16384}')
) as refused (arguments, detail);
select tests.unchanged();
select is(created, true, format('A ledger may be called %s', left(name, 20)))
from unnest(array[repeat('n', 63), '-', '0']) n, ledger.create_ledger(n, '1 hour');

select * from finish();
rollback;
