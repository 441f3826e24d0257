begin;
select plan(4);
select tests.open_accounts();

select is_empty('select * from ledger_private.verify_accounts(null, null, null)', 'Sound');

insert into ledger.accounts (ledger_id, code, currency, type, min_balance, max_balance)
values (1, 'crossed', 'USD', 'asset', 2, 1);
update ledger.accounts set balance = 501 where code = 'alice';
update ledger.accounts set version = 7, held = 2 where code = 'bob';
update ledger.accounts set balance = balance - 1, version = 0 where code = 'world';
select bag_eq(
  'select * from ledger_private.verify_accounts(null, null, null)',
  $$
    values
      ('account_limits_crossed', 1, 'account crossed',
        '{"min_balance": "2", "max_balance": "1"}'::jsonb),
      ('account_balance_differs', 1, 'account alice', '{"account": "501", "last_entry": "500"}'),
      ('account_version_differs', 1, 'account bob', '{"account": 7, "last_entry": 0}'),
      ('account_held_differs', 1, 'account bob', '{"account": "2", "last_entry": "0"}'),
      ('account_version_differs', 1, 'account world', '{"account": 0, "last_entry": 1}'),
      ('account_balance_differs', 1, 'account world', '{"account": "-501", "last_entry": "-500"}')
  $$,
  'An account has what its last entry left; without entries, nothing'
);
select bag_eq(
  format(
    'select subject from ledger_private.verify_accounts(1, %s, %s)',
    (select account_id from ledger.accounts where code = 'alice'),
    (select account_id from ledger.accounts where code = 'crossed')
  ),
  $$values ('account alice'), ('account bob'), ('account bob')$$,
  'Only of the accounts in the range, its end not included'
);
select is_empty(
  'select * from ledger_private.verify_accounts(2, null, null)', 'Only of the ledger asked for'
);

select * from finish();
rollback;
