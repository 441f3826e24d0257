begin;
select plan(2);

select is_empty('select * from ledger_private.check_installation_rights()', 'As installed');

create role probe;
grant usage on schema ledger to public;
grant create on schema ledger_private to public;
grant create on schema ledger to ledger_app, probe;
grant select on ledger.accounts to public;
grant select (name) on ledger.api_keys to public;
grant execute on function ledger.feed_end to public;
create function ledger_private.probe() returns int language sql return 1;
create sequence ledger.probe;
grant usage on sequence ledger.probe to public;
select bag_eq(
  'select * from ledger_private.check_installation_rights()',
  $$
    values
      ('granted_to_public', 'schema ledger', 'USAGE'),
      ('granted_to_public', 'schema ledger_private', 'CREATE'),
      ('may_create_in_schema', 'schema ledger', 'ledger_app'),
      ('may_create_in_schema', 'schema ledger', 'probe'),
      ('granted_to_public', 'table ledger.accounts', 'SELECT'),
      ('granted_to_public', 'table ledger.api_keys', 'SELECT'),
      ('granted_to_public', 'function ledger.feed_end()', 'EXECUTE'),
      ('granted_to_public', 'function ledger_private.probe()', 'EXECUTE'),
      ('granted_to_public', 'table ledger.probe', 'USAGE')
  $$,
  'PUBLIC has nothing, nobody creates'
);

select * from finish();
rollback;
