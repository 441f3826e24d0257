begin;
select plan(8);

create temporary table made as
select
  ledger.create_api_key('shop', sha256('one'), array['read', 'write']) as shop,
  ledger.create_api_key('boss', sha256('two'), array['admin'], array[1]) as boss;
select is(
  row(f.*)::text, row('shop', sha256('one'), array['read', 'write'], null)::text,
  'A key is found by its id, with what is needed to check it'
)
from made, ledger.find_api_key(shop) f;
select is(
  row(f.*)::text, row('boss', sha256('two'), array['admin'], array[1])::text, 'Another'
)
from made, ledger.find_api_key(boss) f;
select is_empty(
  format('select * from ledger.find_api_key(%L)', id), format('No key is found by %s', id)
)
from made, unnest(array[null, 0, -1, boss + 1]) id;
select is(ledger.revoke_api_key(shop), true, 'A key is revoked') from made;
select is_empty(
  format('select * from ledger.find_api_key(%s)', shop), 'A revoked key is not found'
)
from made;

select * from finish();
rollback;
