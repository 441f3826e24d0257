begin;
select plan(5);

select is_empty('select * from ledger.list_api_keys()', 'At first there are none');
create temporary table made as
select
  ledger.create_api_key('shop', sha256('one'), array['read', 'write']) as shop,
  ledger.create_api_key('boss', sha256('two'), array['admin'], array[1]) as boss;
select is(ledger.revoke_api_key(shop), true, 'The first one is revoked') from made;
select is(
  (
    select string_agg(
      format('%s %s %s %s', name, scopes, ledger_ids, revoked_at is not null), ', '
    )
    from ledger.list_api_keys()
  ),
  'shop {read,write}  t, boss {admin} {1} f', 'All of them, the oldest first, revoked ones too'
);
select is(
  (select array_agg(api_key_id) from ledger.list_api_keys()), array[shop, boss], 'with their ids'
)
from made;
select unalike(
  (select string_agg(l::text, ' ') from ledger.list_api_keys() l),
  '%' || encode(sha256('two'), 'hex') || '%', 'but never their digests'
);

select * from finish();
rollback;
