begin;
select plan(13);

select is(
  ledger_private.content_problem(description, metadata, effective_at), null, what || ' is fine'
)
from (
  values
    ('nothing', null, '{}'::jsonb, null::timestamptz),
    ('an empty description', '', '{}', null),
    ('a description of 1000 characters', repeat('ü', 1000), '{}', null),
    ('metadata of 16 KiB', null, jsonb_build_object('a', repeat('x', 16375)), null),
    ('the first moment', null, '{}', '0001-01-01Z'),
    ('the last moment', null, '{}', '9999-12-31 23:59:59.999999Z')
) as contents (what, description, metadata, effective_at);
select is(
  ledger_private.content_problem(description, metadata, effective_at)::text, problem, what
)
from (
  values
    ('Everything wrong: the description first', repeat('x', 1001), '[]'::jsonb, 'infinity'::timestamptz,
      '{"code": "description_too_long", "limit": 1000, "length": 1001}'),
    ('then the metadata', 'x', '[]', 'infinity', '{"code": "metadata_not_object"}'),
    ('then their size', 'x', jsonb_build_object('a', repeat('x', 16376)), 'infinity',
      '{"code": "metadata_too_large", "bytes": 16385, "limit": 16384}'),
    ('then the time', 'x', '{}', 'infinity', '{"code": "effective_at_out_of_range"}'),
    ('Too early', 'x', '{}', '0001-12-31 23:59:59.999999Z BC',
      '{"code": "effective_at_out_of_range"}'),
    ('Too late', 'x', '{}', '10000-01-01Z', '{"code": "effective_at_out_of_range"}'),
    ('No metadata', null, null, null, '{"code": "metadata_not_object"}')
) as contents (what, description, metadata, effective_at, problem);

select * from finish();
rollback;
