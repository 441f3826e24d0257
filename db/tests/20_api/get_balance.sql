begin;
select plan(13);
select tests.open_accounts();

select tests.remember();
select is(
  row(b.*)::text, expected, format('The balance of %s', account)
)
from
  (
    values
      ('alice', '(alice,USD,1,500,0,500)'), ('bob', '(bob,USD,0,0,0,0)'),
      ('world', '(world,USD,1,-500,0,-500)'), ('eva', '(eva,EUR,1,300,0,300)')
  ) as accounts (account, expected),
  ledger.get_balance(account) b;
select tests.raises(
  format('select * from ledger.get_balance(%s)', arguments), detail, arguments
)
from (
  values
    ($$'nobody'$$, '{"code": "unknown_account", "account": "nobody"}'),
    ($$'a b'$$, '{"code": "account_code_malformed", "account": "a b"}'),
    ('null', '{"code": "account_code_malformed", "account": null}'),
    ($$'alice', 77$$, '{"code": "unknown_ledger", "ledger_id": 77}'),
    ($$'alice', null$$, '{"code": "unknown_ledger", "ledger_id": null}')
) as refused (arguments, detail);
select tests.unchanged();

select lives_ok(
  $$select ledger.require_posted(ledger.post_payment('k', 'alice', 'bob', 1, 'USD'))$$, 'A payment'
);
select is(row(b.*)::text, '(alice,USD,2,499,0,499)', 'Each entry makes a version')
from ledger.get_balance('alice') b;

-- held is 0 until there are holds; the column is read all the same.
update ledger.accounts set held = 9 where code = 'alice';
select is(row(b.*)::text, '(alice,USD,2,499,9,490)', 'available is the balance less what is held')
from ledger.get_balance('alice') b;

select * from finish();
rollback;
