-- As superuser, whom no grant stops: what the triggers alone refuse. Who may not even try is in
-- tests/integration/test_roles.py.
begin;
select plan(175);
select tests.open_accounts();

-- The tables of history, the columns of each, and the partitions, which can be named themselves.
create temporary table history as
select oid::regclass::text as name
from pg_class
where oid in (
  'ledger.payments'::regclass, 'ledger.ledger_entries'::regclass,
  'ledger.account_changes'::regclass, 'ledger.feed_epochs'::regclass,
  'ledger.idempotency_keys'::regclass
)
union all
select partition::text
from unnest(array['ledger.payments', 'ledger.ledger_entries']::regclass[]) parent,
  ledger_private.partitions(parent);
create temporary table refused (sql text);
insert into refused
select format('truncate %s cascade', name)
from history
union all
select 'truncate ledger.accounts cascade'
union all
-- A row trigger has nothing to say about a table without rows.
select format('delete from %s', name)
from history
where query_to_xml(format('select from %s limit 1', name), false, false, '')::text like '%row%'
union all
select 'delete from ledger.accounts'
union all
select format('update %s set %I = %2$I', name, attname)
from history
join pg_attribute a on a.attrelid = name::regclass
where a.attnum > 0
  and a.attidentity <> 'a'
  and query_to_xml(format('select from %s limit 1', name), false, false, '')::text like '%row%';

select cmp_ok(
  (select count(*) from refused where sql like tried || '%'), '>=', least::bigint,
  format('There is much to refuse: %s', tried)
)
from (values ('truncate', 16), ('delete', 8), ('update', 40)) as kinds (tried, least);

select tests.remember();
select throws_ok(sql, 'LG801', null, 'Refused: ' || sql) from refused order by sql;
select tests.unchanged('Nothing was changed');

set local session_replication_role = replica;
select throws_ok(sql, 'LG801', null, 'Refused to a replica too: ' || sql)
from refused
order by sql;
set local session_replication_role = origin;
select tests.unchanged('Nothing was changed by it either');

select tests.raises(
  'truncate ledger.feed_epochs',
  '{"code": "history_is_append_only", "table": "feed_epochs", "operation": "TRUNCATE"}',
  'The error says what was tried, and where'
);
select lives_ok(
  $$update ledger.accounts set metadata = '{"a": 1}' where code = 'alice'$$,
  'What an account is now may change'
);

select * from finish();
rollback;
