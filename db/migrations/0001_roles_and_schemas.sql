-- Roles. All are NOLOGIN groups, shared by every database of the cluster; logins are granted
-- membership. The first four own objects and have no members except the login that migrates.

do $$
declare
  v_role text;
  v_owners constant text[] := array[
    'ledger_owner',   -- owns tables and partitions
    'ledger_writer',  -- owns the functions that post and administer; cannot rewrite history
    'ledger_purger',  -- owns the one function that may delete expired idempotency keys
    'ledger_lookup'   -- owns the functions that read; has SELECT and nothing else
  ];
  v_groups constant text[] := array[
    'ledger_app',     -- EXECUTE on posting and reading: the service's login
    'ledger_relay',   -- reads the feed, keeps the relay's lease: the service's login too
    'ledger_reader',  -- SELECT on tables and views: people and reports
    'ledger_auditor', -- SELECT, verify_ledger, check_installation
    'ledger_admin'    -- ledgers, limits, status, retention, API keys
  ];
begin
  foreach v_role in array v_owners || v_groups loop
    if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
      begin
        execute format('create role %I nologin', v_role);
      exception
        when duplicate_object or unique_violation then
          null;  -- another database of this cluster is being installed at this moment
      end;
    end if;
  end loop;

  -- ALTER ... OWNER TO needs membership. A superuser has it by nature.
  foreach v_role in array v_owners loop
    continue when pg_catalog.pg_has_role(current_user, v_role, 'USAGE');
    begin
      if current_setting('server_version_num')::int >= 160000 then
        execute format('grant %I to current_user with set true, inherit true', v_role);
      else
        execute format('grant %I to current_user', v_role);
      end if;
    exception
      when insufficient_privilege then
        raise exception using
          errcode = 'insufficient_privilege',
          message = format('role %s exists, and %s may not join it', v_role, current_user),
          detail = 'Another login of this cluster installed payledger in another database.',
          hint = format(
            'Install with that login, or have a superuser run: grant %s to %s;',
            array_to_string(v_owners, ', '), current_user
          );
    end;
  end loop;
end
$$;

create schema if not exists ledger;
create schema if not exists ledger_private;

comment on schema ledger is
  'payledger: the tables, views and functions for callers. Start with \df+ ledger.*';
comment on schema ledger_private is
  'payledger: helpers of the functions in schema ledger. Nothing here is for callers.';
