begin;
select plan(5);

select lives_ok('select ledger_private.check_ledger(1)', 'Ledger 1 is there');
select tests.raises(
  format('select ledger_private.check_ledger(%s)', coalesce(id::text, 'null')),
  json_build_object('code', 'unknown_ledger', 'ledger_id', id)::jsonb::text,
  format('Ledger %s is not', id)
)
from unnest(array[0, -1, 77, null]) id;

select * from finish();
rollback;
