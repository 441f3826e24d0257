begin;
select plan(8);
select lives_ok(
  $$select ledger.create_ledger('shop', '2 days', '{"a": 1}')$$, 'There is a ledger'
);

select tests.remember();
select is(
  row(name, idempotency_retention, metadata)::text, '(shop,"2 days","{""a"": 1}")',
  'A ledger is found by its name'
)
from ledger.find_ledger('shop');
select is(row(ledger_id, name)::text, '(1,main)', 'Ledger 1 is main') from ledger.find_ledger('main');
select is_empty(
  format('select * from ledger.find_ledger(%L)', name), format('Nothing is found by %s', name)
)
from unnest(array['nobody', 'Main', '', null]) as name;
select tests.unchanged();

select * from finish();
rollback;
