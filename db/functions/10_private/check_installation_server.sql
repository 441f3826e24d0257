-- Promise 2 rests on these settings of the server.
create or replace function ledger_private.check_installation_server()
returns table (problem text, subject text, detail text)
language sql
stable
as $$
  select 'setting_unsafe', 'setting ' || s.name, format('is %s, must be %s', s.reset_val, safe)
  from (
    values
      ('fsync', array['on']),
      ('full_page_writes', array['on']),
      -- Posting sets it for itself, but an account frozen just now should stay so, too.
      ('synchronous_commit', array['on', 'local', 'remote_write', 'remote_apply']),
      ('session_replication_role', array['origin', 'local'])
  ) required (name, values)
  join pg_catalog.pg_settings s using (name)
  cross join lateral array_to_string(required.values, ' or ') safe
  where s.reset_val <> all (required.values)
$$;
