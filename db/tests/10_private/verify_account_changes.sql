begin;
select plan(8);
select tests.open_accounts();
select lives_ok($$select ledger.set_account_limits('alice', 0, 900)$$, 'alice: at most 900');
select lives_ok($$select ledger.set_account_status('bob', 'closed')$$, 'bob is closed');
select lives_ok($$select ledger.set_account_limits('bob', null, null)$$, 'and gets other limits');
select is_empty(
  'select * from ledger_private.verify_account_changes(null, null, null)', 'All of it is sound'
);

create temporary table changes as
select a.code, c.change_id, row_number() over (partition by a.code order by c.change_id) as no
from ledger.account_changes c
join ledger.accounts a using (ledger_id, account_id);
insert into changes values ('bob', (select max(change_id) + 1 from changes), 4);
alter table ledger.account_changes disable trigger all;
alter table ledger.accounts disable trigger all;

-- alice: the second change as if it were the first, and of a later time; the account differs.
delete from ledger.account_changes
where change_id = (select change_id from changes where code = 'alice' and no = 1);
update ledger.account_changes set from_version = 3, max_balance = null, metadata = '{"a": 1}'
where change_id = (select change_id from changes where code = 'alice' and no = 2);
-- bob: open again, but only afterwards, as if nothing had happened.
insert into ledger.account_changes (ledger_id, account_id, from_version, status, metadata)
select ledger_id, account_id, 0, 'open', metadata from ledger.accounts where code = 'bob';
update ledger.accounts set status = 'open' where code = 'bob';
-- carol: no history. eva: closed with money in it. world-eur: no account.
delete from ledger.account_changes
where change_id = (select change_id from changes where code = 'carol');
insert into ledger.account_changes
  (ledger_id, account_id, from_version, status, min_balance, metadata)
select ledger_id, account_id, 2, 'closed', min_balance, metadata
from ledger.accounts where code = 'eva';
update ledger.accounts set status = 'closed' where code = 'eva';
delete from ledger.accounts where code = 'world-eur';

select bag_eq(
  $$
    select
      f.breach, f.ledger_id, regexp_replace(f.subject, '^account_id \d+$', 'nobody'), c.code, c.no,
      f.detail - 'change_id'
    from ledger_private.verify_account_changes(null, null, null) f
    left join changes c on c.change_id = (f.detail ->> 'change_id')::bigint
  $$,
  $$
    values
      ('account_changes_start_late', 1, 'account alice', 'alice', 2::bigint,
        '{"from_version": 3, "expected": 1}'::jsonb),
      ('account_change_ahead', 1, 'account alice', 'alice', 2,
        '{"from_version": 3, "account_version": 1}'),
      ('account_differs_from_history', 1, 'account alice', 'alice', 2,
        '{"account":
            {"status": "open", "metadata": {}, "min_balance": "0", "max_balance": "900"},
          "last_change":
            {"status": "open", "metadata": {"a": 1}, "min_balance": "0", "max_balance": null}}'),
      ('account_changes_out_of_order', 1, 'account bob', 'bob', 4,
        '{"from_version": 0, "previous": 1}'),
      ('closed_account_reopened', 1, 'account bob', 'bob', 4, '{"status": "open"}'),
      ('account_without_history', 1, 'account carol', null, null, '{}'),
      ('account_closed_with_money', 1, 'account eva', null, null,
        '{"balance": "300", "held": "0"}'),
      ('account_change_without_account', 1, 'nobody', 'world-eur', 1, '{}')
  $$,
  'A history begins with the creation, goes on in order, ends with the account as it is'
);
select bag_eq(
  format(
    'select distinct subject from ledger_private.verify_account_changes(1, %s, %s)',
    (select account_id from ledger.accounts where code = 'bob'),
    (select account_id from ledger.accounts where code = 'carol')
  ),
  $$values ('account bob')$$, 'Only of the accounts in the range, its end not included'
);
select is(
  (
    select count(*)
    from ledger_private.verify_account_changes(
      1, (select max(account_id) + 1 from ledger.accounts), null
    )
  ),
  0::bigint, 'Beyond the last account there is nothing'
);
select is_empty(
  'select * from ledger_private.verify_account_changes(2, null, null)',
  'Only of the ledger asked for'
);

select * from finish();
rollback;
