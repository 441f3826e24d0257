begin;
select plan(4);
select tests.open_accounts();

select is((ledger_private.find_account(1, 'alice')).balance::numeric, 500::numeric, 'The account''s row');
select tests.raises(
  format('select ledger_private.find_account(%s)', arguments), detail, arguments
)
from (
  values
    ($$1, 'nobody'$$, '{"code": "unknown_account", "account": "nobody"}'),
    ($$1, ''$$, '{"code": "account_code_malformed", "account": ""}'),
    ($$77, 'alice'$$, '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);

select * from finish();
rollback;
