-- What the house asks of every function and table, also of those still to be written.
begin;
select plan(14);

create temporary table functions as
select
  p.oid,
  n.nspname as schema,
  format('%I.%I', n.nspname, p.proname) as name,
  p.prosecdef,
  p.proconfig,
  p.prosrc as body,
  p.proacl,
  p.prorettype = 'trigger'::regtype as is_trigger,
  (
    select coalesce(array_agg(argument), '{}')
    from unnest(p.proargnames, p.proargmodes) as arguments (argument, mode)
    where coalesce(mode, 'i') in ('i', 'b', 'v')
  ) as inputs,
  p.pronargs
from pg_proc p
join pg_namespace n on n.oid = p.pronamespace
where n.nspname in ('ledger', 'ledger_private');

select cmp_ok((select count(*) from functions where schema = 'ledger'), '>', 20::bigint, 'The functions are there');
select is(
  (select array_agg(name) from functions where schema = 'ledger' and obj_description(oid, 'pg_proc') is null),
  null, 'Every function for callers has a comment'
);
select is(
  (
    select array_agg(name)
    from functions
    where cardinality(inputs) <> pronargs
      or exists (select from unnest(inputs) argument where argument !~ '^p_[a-z0-9_]+$')
  ),
  null, 'Every argument has a name that begins with p_'
);
select is(
  (
    select array_agg(name)
    from functions
    where schema = 'ledger'
      and 'search_path=pg_catalog, pg_temp' <> all (coalesce(proconfig, '{}'))
  ),
  null, 'Every function for callers has its search_path pinned, pg_temp at the end'
);
select is(
  (select array_agg(name) from functions where prosecdef <> (schema = 'ledger')),
  null, 'Functions for callers act with their owner''s rights, helpers with their caller''s'
);
select is(
  (
    select array_agg(name)
    from functions, aclexplode(coalesce(proacl, acldefault('f', 10))) acl
    where acl.grantee = 0
  ),
  null, 'PUBLIC may execute none'
);
select is(
  (select array_agg(name) from functions where position(E'\\' in body) > 0), null,
  'No function has a backslash: in a caller''s session it might be an escape'
);
select is(
  (select array_agg(name) from (select name from functions group by name having count(*) > 1) n),
  null, 'No name has two functions'
);
select is(
  (select array_agg(name) from functions f where schema = 'ledger' and is_trigger), null,
  'Trigger functions are helpers'
);
select is(
  (
    select array_agg(oid::regclass::text)
    from pg_class
    where relnamespace = 'ledger'::regnamespace
      and relkind in ('r', 'p', 'v', 'm')
      and not relispartition
      and obj_description(oid, 'pg_class') is null
  ),
  null, 'Every table has a comment'
);
select is(
  (
    select array_agg(oid::regclass::text)
    from pg_class, aclexplode(coalesce(relacl, acldefault('r', relowner))) acl
    where relnamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
      and relkind in ('r', 'p', 'v', 'm', 'S')
      and acl.grantee = 0
  ),
  null, 'PUBLIC has no right on any table'
);
select is(
  (
    select array_agg(distinct pg_get_userbyid(owner)::text || ' owns ' || name)
    from (
      select proowner, oid::regprocedure::text from pg_proc
      where pronamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
      union all
      select relowner, oid::regclass::text from pg_class
      where relnamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
      union all
      select typowner, oid::regtype::text from pg_type
      where typnamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
      union all
      select nspowner, nspname::text from pg_namespace where nspname like 'ledger%'
    ) owned (owner, name)
    where pg_get_userbyid(owner) not in
      ('ledger_owner', 'ledger_writer', 'ledger_purger', 'ledger_lookup')
  ),
  null, 'Everything belongs to one of the owner roles'
);
select is(
  (
    select array_agg(rolname::text)
    from pg_roles
    where rolname like 'ledger\_%'
      and (rolcanlogin or rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)
  ),
  null, 'No role of the ledger can log in, or do more than it is granted'
);
select is(
  (
    select array_agg(conname::text)
    from pg_constraint
    where connamespace = 'ledger'::regnamespace
      and contype in ('c', 'u', 'f', 'x')
      and conname ~ '_(check|key|fkey|excl)\d*$'
  ),
  null, 'Every constraint has a name that says what is true'
);

select * from finish();
rollback;
