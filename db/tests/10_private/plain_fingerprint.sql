begin;
select plan(1);

select is(
  ledger_private.plain_fingerprint('a:b-c_d', 'e.f@g', 12345678901234567890123456789012345678, 'USD_X1'),
  ledger_private.payment_fingerprint(
    'payment',
    array[
      (1, 'a:b-c_d', 'USD_X1', -12345678901234567890123456789012345678, 0),
      (1, 'e.f@g', 'USD_X1', 12345678901234567890123456789012345678, 0)
    ]::ledger_private.change[],
    null, '{}', null
  ),
  'The same as the general one'
);

select * from finish();
rollback;
