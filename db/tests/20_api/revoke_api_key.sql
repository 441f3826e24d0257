begin;
select plan(8);

create temporary table made as
select
  ledger.create_api_key('shop', sha256('one'), array['read']) as shop,
  ledger.create_api_key('boss', sha256('two'), array['admin']) as boss;
select is(ledger.revoke_api_key(shop), true, 'A key is revoked') from made;
select results_eq(
  $$select name, revoked_at is not null from ledger.api_keys order by api_key_id$$,
  $$values ('shop', true), ('boss', false)$$, 'It alone'
);
select tests.remember();
select is(ledger.revoke_api_key(shop), false, 'Once: the time of revoking stays') from made;
select is(ledger.revoke_api_key(id), false, format('There is no key %s to revoke', id))
from unnest(array[0, -1, null, 99999999]::bigint[]) id;
select tests.unchanged();

select * from finish();
rollback;
