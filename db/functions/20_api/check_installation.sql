-- Whether the database keeps what the functions promise: owners, grants and triggers (what
-- verify_ledger finds of promise 4), functions, roles, this session's login, settings, partitions.
-- Looks at the catalogue only, never at payments. Locks nothing.
create or replace function ledger.check_installation()
returns table (problem text, subject text, detail text)
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select p.problem, p.subject, p.detail::text
  from ledger_private.append_only_problems() p;

  return query select * from ledger_private.check_installation_rights();
  return query select * from ledger_private.check_installation_functions();
  return query select * from ledger_private.check_installation_roles();
  return query select * from ledger_private.check_installation_login();
  return query select * from ledger_private.check_installation_server();
  return query select * from ledger_private.check_installation_partitions();
end
$$;

comment on function ledger.check_installation is
  'Everything about this installation that could break a promise of the ledger, a row each; no '
  'row: it is sound. Run by /readyz; run it after every restore.';
