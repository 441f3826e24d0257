-- Owners and privileges of everything, in one place. Re-applied after any other file changed.
-- Least privilege: the functions do the work with their owners' few rights; callers hold none on
-- the tables. Nothing here is granted to PUBLIC.

alter schema ledger owner to ledger_owner;
alter schema ledger_private owner to ledger_owner;

do $$
declare
  v_object record;
  v_role text;
  v_posting constant text[] := array[
    'post_payment', 'post_compound_payment', 'post_payments', 'create_account'
  ];
  v_administering constant text[] := array[
    'create_ledger', 'set_ledger_retention', 'create_currency', 'set_account_limits',
    'set_account_status', 'create_api_key', 'revoke_api_key'
  ];
  v_relaying constant text[] := array[
    'take_relay_lease', 'tell_changes', 'release_relay_lease'
  ];
  v_maintaining constant text[] := array['maintain_partitions', 'start_epoch'];
  v_purging constant text[] := array['purge_idempotency_keys'];
begin
  -- A new owner needs CREATE on the schema while it becomes the owner.
  foreach v_role in array array['ledger_writer', 'ledger_purger', 'ledger_lookup'] loop
    execute format('grant create on schema ledger to %I', v_role);
  end loop;

  for v_object in
    select p.oid::regprocedure as signature, p.proname::text as name, n.nspname::text as schema
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('ledger', 'ledger_private')
  loop
    execute format(
      'alter function %s owner to %I',
      v_object.signature,
      case
        when v_object.schema = 'ledger_private' then 'ledger_owner'
        when v_object.name = any (v_posting || v_administering || v_relaying) then 'ledger_writer'
        when v_object.name = any (v_maintaining) then 'ledger_owner'
        when v_object.name = any (v_purging) then 'ledger_purger'
        else 'ledger_lookup'
      end
    );
  end loop;

  for v_object in
    select c.oid::regclass as name
    from pg_class c
    where c.relnamespace in ('ledger'::regnamespace, 'ledger_private'::regnamespace)
      and c.relkind in ('r', 'p')
  loop
    execute format('alter table %s owner to ledger_owner', v_object.name);
  end loop;

  for v_object in
    select format('%I.%I', n.nspname, t.typname) as name
    from pg_type t
    join pg_namespace n on n.oid = t.typnamespace
    left join pg_class c on c.oid = t.typrelid
    where n.nspname in ('ledger', 'ledger_private')
      and (t.typtype = 'd' or c.relkind = 'c')
  loop
    execute format('alter type %s owner to ledger_owner', v_object.name);
  end loop;

  foreach v_role in array array['ledger_writer', 'ledger_purger', 'ledger_lookup'] loop
    execute format('revoke create on schema ledger from %I', v_role);
  end loop;
end
$$;

revoke all on schema ledger, ledger_private from public;
revoke all on all tables in schema ledger, ledger_private from public;
revoke all on all functions in schema ledger, ledger_private from public;

-- The owners of functions.

grant usage on schema ledger, ledger_private to ledger_writer, ledger_purger, ledger_lookup;
grant execute on all functions in schema ledger_private
  to ledger_writer, ledger_purger, ledger_lookup;
grant select on all tables in schema ledger to ledger_writer, ledger_lookup;
grant select on all tables in schema ledger_private to ledger_lookup;

-- Columns where it matters: nothing can choose its own xid and epoch or rewrite what identifies a
-- row. Of these two every column is given; asked for the table, PostgreSQL looks once and not at
-- each column (5 % of a payment).
grant insert on ledger.ledger_entries, ledger.idempotency_keys to ledger_writer;
grant
  insert (ledger_id, payment_id, kind, description, metadata, effective_at, posted_at,
    related_payment_id)
  on ledger.payments to ledger_writer;
grant
  insert (ledger_id, code, currency, type, min_balance, max_balance, metadata),
  update (balance, held, version, status, min_balance, max_balance, metadata)
  on ledger.accounts to ledger_writer;
grant
  insert (ledger_id, account_id, from_version, status, min_balance, max_balance, metadata)
  on ledger.account_changes to ledger_writer;
grant
  insert (name, idempotency_retention, metadata),
  update (idempotency_retention)
  on ledger.ledgers to ledger_writer;
grant insert (code, exponent, name) on ledger.currencies to ledger_writer;
grant
  insert (name, secret_sha256, scopes, ledger_ids),
  update (revoked_at)
  on ledger.api_keys to ledger_writer;
grant select, update (term, holder, generation, taken_at, expires_at)
  on ledger_private.relay_lease to ledger_writer;
-- tell_changes begins there, and signs with that.
grant execute on function ledger.feed_end to ledger_writer;
grant select (notification_secret) on ledger_private.settings to ledger_writer;

grant select on ledger.ledgers, ledger.idempotency_keys, ledger.error_codes to ledger_purger;
-- FOR UPDATE asks for the UPDATE right on some column; the trigger refuses the use of it.
grant delete, update (created_at) on ledger.idempotency_keys to ledger_purger;

-- The callers.

grant usage on schema ledger
  to ledger_app, ledger_relay, ledger_reader, ledger_auditor, ledger_admin;
grant select on ledger.error_codes, ledger.currencies
  to ledger_app, ledger_relay, ledger_reader, ledger_auditor, ledger_admin;

grant execute on function
  ledger.get_account, ledger.get_balance, ledger.get_balances, ledger.list_accounts,
  ledger.list_entries, ledger.get_payment, ledger.find_payment_by_key, ledger.find_ledger,
  ledger.require_posted
  to ledger_app, ledger_reader, ledger_auditor, ledger_admin;

-- create_ledger is in the HTTP API, behind the scope admin.
grant execute on function
  ledger.post_payment, ledger.post_compound_payment, ledger.post_payments, ledger.create_account,
  ledger.create_ledger, ledger.find_api_key, ledger.check_installation
  to ledger_app;

grant execute on function
  ledger.read_feed, ledger.feed_end, ledger.maintain_partitions, ledger.purge_idempotency_keys
  to ledger_relay, ledger_admin;

grant execute on function
  ledger.notification_secret, ledger.take_relay_lease, ledger.read_changes,
  ledger.tell_changes, ledger.release_relay_lease
  to ledger_relay;

grant execute on function ledger.cache_epoch, ledger.replica_position
  to ledger_app, ledger_relay, ledger_reader, ledger_auditor, ledger_admin;

grant select on
  ledger.ledgers, ledger.accounts, ledger.account_changes, ledger.payments, ledger.ledger_entries,
  ledger.idempotency_keys, ledger.feed_epochs
  to ledger_reader, ledger_auditor;

grant execute on function
  ledger.create_ledger, ledger.set_ledger_retention, ledger.create_currency, ledger.create_account,
  ledger.set_account_limits, ledger.set_account_status, ledger.create_api_key,
  ledger.list_api_keys, ledger.revoke_api_key, ledger.start_epoch
  to ledger_admin;

grant execute on function ledger.verify_ledger, ledger.check_installation
  to ledger_auditor, ledger_admin;

-- /readyz compares these with the files the service came with.
grant usage on schema ledger_private to ledger_app, ledger_admin;
grant select on ledger_private.schema_migrations, ledger_private.function_files
  to ledger_app, ledger_admin;
