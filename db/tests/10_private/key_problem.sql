begin;
select plan(13);

create temporary table keys as
select key, problem
from (
  values
    ('k', null), (repeat('k', 255), null), ('{"a"}', null), ('0197f5a0-0000-7000', null),
    (null, '{"code": "idempotency_key_missing"}'), ('', '{"code": "idempotency_key_missing"}'),
    (repeat('k', 256), '{"code": "idempotency_key_too_long", "limit": 255, "length": 256}'),
    (repeat(' ', 256), '{"code": "idempotency_key_too_long", "limit": 255, "length": 256}'),
    (' ', '{"code": "idempotency_key_malformed"}'), ('a b', '{"code": "idempotency_key_malformed"}'),
    (E'a\n', '{"code": "idempotency_key_malformed"}'), ('é', '{"code": "idempotency_key_malformed"}')
) as k (key, problem);
select is(
  ledger_private.key_problem(key)::text, problem,
  format('%L: %s', left(key, 40), coalesce(problem, 'fine'))
)
from keys;
select is(
  string_agg(chr(c), '' order by c), (select string_agg(chr(c), '' order by c) from generate_series(33, 126) c),
  'The characters a key can consist of'
)
from generate_series(1, 1000) c
where ledger_private.key_problem(chr(c)) is null;

select * from finish();
rollback;
