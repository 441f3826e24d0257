begin;
select plan(5);

create temporary table cases as
select *
from (
  values
    ('nothing but what must be', null, '{}'::jsonb, null::timestamptz, 'null', '{}',
      '2026-01-02T03:04:05.678901Z'),
    ('everything', 'tea', '{"b": [1, null], "a": "x"}', '2020-01-01Z', '"tea"',
      '{"a": "x", "b": [1, null]}', '2020-01-01T00:00:00.000000Z'),
    ('quotes and controls', E'"\\/\b\f\n\r\t\x01\x1f\x7f', '{}', null,
      E'"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f"', '{}', '2026-01-02T03:04:05.678901Z'),
    ('what is not ASCII', E'ü€\U0001F600\u2028', '{"ü": "€"}', null, E'"ü€\U0001F600\u2028"', '{"ü": "€"}',
      '2026-01-02T03:04:05.678901Z')
) as c (what, description, metadata, effective_at, rendered, metadata_rendered, effective_rendered);
select is(
  ledger_private.render_payment(
    '01980000-0000-7000-8000-000000000001', 'payment', description, metadata, effective_at,
    '2026-01-02 03:04:05.678901Z', '{"n":1},{"n":2}'
  )::text,
  format(
    '{"payment_id":"01980000-0000-7000-8000-000000000001","kind":"payment","description":%s,'
    '"metadata":%s,"effective_at":"%s","posted_at":"2026-01-02T03:04:05.678901Z",'
    '"entries":[{"n":1},{"n":2}]}',
    rendered, metadata_rendered, effective_rendered
  ),
  'These bytes are replayed for ever: ' || what
)
from cases;
set local timezone = 'Asia/Kathmandu';
set local datestyle = 'German, DMY';
select is(
  ledger_private.render_payment(
    '01980000-0000-7000-8000-000000000001', 'payment', null, '{}', '2020-01-01Z',
    '2026-01-02 03:04:05.678901Z', ''
  ) ->> 'posted_at',
  '2026-01-02T03:04:05.678901Z', 'whatever the session''s time zone and date style'
);

select * from finish();
rollback;
