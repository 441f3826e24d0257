begin;
select plan(1);
set local timezone = 'Asia/Kathmandu';

select is(
  ledger_private.render_plain_payment(
    '01900000-0000-7000-8000-000000000001',
    ledger_private.utc_text('2026-01-01 00:00:00.5Z'),
    'a:b', 30, 8, 'c', 0, 1, 100, 'USD'
  )::text,
  ledger_private.render_payment(
    '01900000-0000-7000-8000-000000000001', 'payment', null, '{}', null, '2026-01-01 00:00:00.5Z',
    concat_ws(
      ',',
      ledger_private.render_entry((1, 11, 'a:b', 'USD', -100, 0, 8, -70, 0)::ledger_private.entry),
      ledger_private.render_entry((1, 12, 'c', 'USD', 100, 0, 1, 100, 0)::ledger_private.entry)
    )
  )::text,
  'The same bytes as the general renderer''s'
);

select * from finish();
rollback;
