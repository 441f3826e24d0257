begin;
select plan(17);

create temporary table made as
select
  ledger.create_api_key('shop', sha256('one'), array['read', 'write']) as shop,
  ledger.create_api_key('boss', sha256('two'), array['admin'], array[1]) as boss;
select isnt(shop, boss, 'Every key has an id of its own') from made;
select is(
  (
    select row(name, secret_sha256, scopes, ledger_ids, revoked_at, created_by)::text
    from ledger.api_keys where api_key_id = shop
  ),
  row('shop', sha256('one'), array['read', 'write'], null, null, session_user)::text,
  'What is kept of a key: its digest, and who made it'
)
from made;
select is(
  (select ledger_ids from ledger.api_keys where api_key_id = boss), array[1], 'and its ledgers'
)
from made;

select tests.remember();
select tests.raises(
  format('select ledger.create_api_key(%s)', arguments), detail, left(arguments, 60)
)
from (
  values
    ($$null, sha256('x'), array['read']$$,
      '{"code": "api_key_malformed", "name": null, "scopes": ["read"]}'),
    ($$'', sha256('x'), array['read']$$,
      '{"code": "api_key_malformed", "name": "", "scopes": ["read"]}'),
    ($$repeat('n', 101), sha256('x'), array['read']$$, format(
      '{"code": "api_key_malformed", "name": "%s", "scopes": ["read"]}', repeat('n', 101))),
    ($$'n', null, array['read']$$,
      '{"code": "api_key_malformed", "name": "n", "scopes": ["read"]}'),
    ($$'n', '\x00', array['read']$$,
      '{"code": "api_key_malformed", "name": "n", "scopes": ["read"]}'),
    ($$'n', 'the secret itself, not its digest'::bytea, array['read']$$,
      '{"code": "api_key_malformed", "name": "n", "scopes": ["read"]}'),
    ($$'n', sha256('x'), null$$, '{"code": "api_key_malformed", "name": "n", "scopes": null}'),
    ($$'n', sha256('x'), '{}'$$, '{"code": "api_key_malformed", "name": "n", "scopes": []}'),
    ($$'n', sha256('x'), array['root']$$,
      '{"code": "api_key_malformed", "name": "n", "scopes": ["root"]}'),
    ($$'n', sha256('x'), array['read', null]$$,
      '{"code": "api_key_malformed", "name": "n", "scopes": ["read", null]}'),
    ($$'n', sha256('x'), array['read'], '{}'$$,
      '{"code": "api_key_malformed", "name": "n", "scopes": ["read"]}'),
    ($$'n', sha256('x'), array['read'], array[1, null]$$,
      '{"code": "api_key_malformed", "name": "n", "scopes": ["read"]}'),
    ($$'n', sha256('x'), array['read'], array[1, 77]$$,
      '{"code": "unknown_ledger", "ledger_id": 77}')
) as refused (arguments, detail);
select tests.unchanged();

select * from finish();
rollback;
