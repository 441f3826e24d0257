begin;
select plan(5);
select tests.open_accounts();
select from ledger.post_compound_payment(
  'k',
  '[{"from": "alice", "to": "bob", "amount": "10", "currency": "USD"},
    {"from": "eva", "to": "world-eur", "amount": "20", "currency": "EUR"}]'
);

select is_empty('select * from ledger_private.verify_conservation(null, null, null)', 'Sound');

alter table ledger.ledger_entries disable trigger user;
update ledger.ledger_entries set amount = amount + 1
where payment_id = (select payment_id from ledger.idempotency_keys where key = 'k')
  and amount > 0;
-- Zero as a whole, but not in each currency.
update ledger.ledger_entries set amount = -30
where payment_id = (select payment_id from ledger.idempotency_keys where key = 'k')
  and amount = -10;
select bag_eq(
  'select * from ledger_private.verify_conservation(null, null, null)',
  $$
    select
      'payment_unbalanced' as breach, 1 as ledger_id, 'payment ' || payment_id as subject,
      jsonb_build_object('currency', currency, 'sum', sum) as detail
    from ledger.idempotency_keys, (values ('USD', '-19'), ('EUR', '1')) sums (currency, sum)
    where key = 'k'
  $$,
  'Each currency sums to zero'
);
select is_empty(
  'select * from ledger_private.verify_conservation(2, null, null)', 'Only of the ledger asked for'
);
select is_empty(
  $$
    select *
    from ledger_private.verify_conservation(null, 'ffffffff-ffff-ffff-ffff-ffffffffffff', null)
  $$,
  'Only of the payments from the beginning of the range on'
);
select is_empty(
  format(
    'select * from ledger_private.verify_conservation(null, null, %L)',
    (select payment_id from ledger.idempotency_keys where key = 'k')
  ),
  'and before its end'
);

select * from finish();
rollback;
