-- A caller's function runs with its owner's rights and finds only what it means to. Each owner owns
-- what needs its rights and no more.
create or replace function ledger_private.check_installation_functions()
returns table (problem text, subject text, detail text)
language sql
stable
as $$
  with functions as (
    select
      p.oid::regprocedure::text as signature,
      pg_get_userbyid(p.proowner)::text as owner,
      p.prosecdef,
      p.proconfig,
      p.pronamespace = 'ledger'::regnamespace as for_callers,
      case
        when p.pronamespace = 'ledger_private'::regnamespace then array['ledger_owner']
        when p.proname in ('maintain_partitions', 'start_epoch') then array['ledger_owner']
        when p.proname = 'purge_idempotency_keys' then array['ledger_purger']
        else array['ledger_writer', 'ledger_lookup']
      end as owners
    from pg_catalog.pg_proc p
    where p.pronamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
  )
  select
    'function_owner_differs',
    'function ' || signature,
    format('is owned by %s, not by %s', owner, array_to_string(owners, ' or '))
  from functions
  where owner <> all (owners)
  union all
  select
    'function_not_security_definer',
    'function ' || signature,
    'runs with the rights of its caller, who has none'
  from functions
  where for_callers
    and not prosecdef
  union all
  select
    'function_search_path_open',
    'function ' || signature,
    'needs: set search_path = pg_catalog, pg_temp'
  from functions
  where (prosecdef or for_callers)
    and ('search_path=pg_catalog, pg_temp' = any (proconfig)) is not true
$$;
