-- That it gives up, and is not in the way, when others hold locks is in tests/concurrency.
begin;
select plan(6);

select lives_ok(
  $$select ledger_private.build_partition('payments', 'payments_probe')$$, 'A partition is built'
);
select is(
  ledger_private.attach_partition(
    'payments', 'payments_probe', '01000000-0000-0000-0000-000000000000',
    '01000000-0000-0001-0000-000000000000'
  ),
  true, 'and attached'
);
select is(
  (select row(from_id, until_id)::text from ledger_private.partitions('ledger.payments')
    where partition = 'ledger.payments_probe'::regclass),
  '(01000000-0000-0000-0000-000000000000,01000000-0000-0001-0000-000000000000)', 'with its bounds'
);
insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
values ('01000000-0000-0000-8000-000000000000', now(), 1, 1, 'test', '{}');
select is(
  (select tableoid::regclass::text from ledger.payments where kind = 'test'),
  'ledger.payments_probe', 'Rows of its time go to it'
);
select throws_ok(
  $$update ledger.payments set kind = 'x' where kind = 'test'$$, 'LG801', null,
  'and cannot be changed there'
);
select throws_ok(
  $$delete from ledger.payments_probe$$, 'LG801', null, 'nor deleted'
);

select * from finish();
rollback;
