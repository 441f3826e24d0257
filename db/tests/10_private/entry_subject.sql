begin;
select plan(2);
select tests.open_accounts();

select is(
  ledger_private.entry_subject(
    1, (select account_id from ledger.accounts where code = 'alice'), 7
  ),
  'account alice version 7', 'An entry is named by its account and version'
);
select is(
  ledger_private.entry_subject(
    2, (select account_id from ledger.accounts where code = 'alice'), 7
  ),
  'account_id ' || (select account_id from ledger.accounts where code = 'alice') || ' version 7',
  'or by its number, where there is no such account'
);

select * from finish();
rollback;
