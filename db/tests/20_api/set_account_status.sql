begin;
select plan(22);
select tests.open_accounts();

select is((ledger.set_account_status('alice', 'frozen')).status, 'frozen', 'open to frozen');
select is((ledger.set_account_status('alice', 'open')).status, 'open', 'frozen to open');
select is((ledger.set_account_status('bob', 'closed')).status, 'closed', 'open to closed');
select is((ledger.set_account_status('carol', 'frozen')).status, 'frozen', 'open to frozen');
select is((ledger.set_account_status('carol', 'closed')).status, 'closed', 'frozen to closed');
select is(
  (
    select array_agg(format('from %s: %s', from_version, c.status) order by change_id)
    from ledger.account_changes c
    join ledger.accounts a using (ledger_id, account_id)
    where code = 'alice'
  ),
  array['from 1: open', 'from 2: frozen', 'from 2: open'],
  'Every change is recorded, with the first version it applies to'
);
select tests.books();

select tests.remember();
select is((ledger.set_account_status('alice', 'open')).status, 'open', 'open to open');
select is((ledger.set_account_status('bob', 'closed')).status, 'closed', 'closed to closed');
select tests.raises(
  format('select ledger.set_account_status(%s)', arguments), detail, arguments
)
from (
  values
    ($$'bob', 'open'$$, '{"code": "account_status_final", "account": "bob"}'),
    ($$'bob', 'frozen'$$, '{"code": "account_status_final", "account": "bob"}'),
    ($$'alice', 'closed'$$,
      '{"code": "account_not_empty", "held": "0", "account": "alice", "balance": "500"}'),
    ($$'world', 'closed'$$,
      '{"code": "account_not_empty", "held": "0", "account": "world", "balance": "-500"}'),
    ($$'alice', 'Open'$$, '{"code": "status_unknown", "status": "Open"}'),
    ($$'alice', null$$, '{"code": "status_unknown", "status": null}'),
    ($$'nobody', 'open'$$, '{"code": "unknown_account", "account": "nobody"}'),
    ($$'a b', 'open'$$, '{"code": "account_code_malformed", "account": "a b"}'),
    ($$'alice', 'open', 77$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();

select lives_ok(
  $$select ledger.require_posted(ledger.post_payment('k', 'alice', 'world', 500, 'USD'))$$,
  'Alice gives everything back'
);
select is((ledger.set_account_status('alice', 'closed')).status, 'closed', 'and can be closed');

-- What is reserved keeps an account open too, though there are no holds yet.
update ledger.accounts set held = 1 where code = 'world';
select tests.raises(
  $$select ledger.set_account_status('world', 'closed')$$,
  '{"code": "account_not_empty", "held": "1", "account": "world", "balance": "0"}',
  'An account with something reserved stays open'
);

select * from finish();
rollback;
