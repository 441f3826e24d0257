begin;
select plan(9);
select tests.open_accounts();

select tests.remember();
select is(
  (
    select array_agg(row(b.*)::text order by b.code)
    from ledger.get_balances(array['world', 'alice', 'nobody', 'a b', null, 'alice', 'bob']) b
  ),
  array['(alice,USD,1,500,0,500)', '(bob,USD,0,0,0,0)', '(world,USD,1,-500,0,-500)'],
  'Each account once; what is none is left out'
);
select is(
  (select array_agg(row(b.*)::text) from ledger.get_balances(array[code]) b),
  (select array_agg(row(b.*)::text) from ledger.get_balance(code) b),
  format('The balance of %s, as get_balance says', code)
)
from ledger.accounts
where code in ('alice', 'eva');
select is_empty($$select * from ledger.get_balances('{}')$$, 'No account, no row');
select is_empty($$select * from ledger.get_balances(null)$$, 'Nor of null');
select is_empty($$select * from ledger.get_balances(array['nobody'])$$, 'Nor of an unknown one');
select tests.raises(
  format('select * from ledger.get_balances(array[%L], %s)', 'alice', ledger_id),
  format('{"code": "unknown_ledger", "ledger_id": %s}', ledger_id),
  format('Of ledger %s', ledger_id)
)
from (values ('77'), ('null')) as unknown (ledger_id);
select tests.unchanged();

select * from finish();
rollback;
