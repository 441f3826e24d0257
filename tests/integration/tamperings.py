"""The many ways in which an installation may lose what keeps its history."""

from __future__ import annotations

# What is done, and what is found: how often, and about what.
TAMPERINGS: dict[str, tuple[str, dict[str, int]]] = {
    # -- owners: a restore as the wrong role changes them ----------------------------------------
    "a table of another owner": (
        "alter table ledger.payments owner to payledger_migrator",
        {"table_owner_differs ledger.payments": 1},
    ),
    "a partition of another owner": (
        "alter table ledger.payments_default owner to payledger_migrator",
        {"table_owner_differs ledger.payments_default": 1},
    ),
    "a schema of another owner": (
        "alter schema ledger_private owner to payledger_migrator",
        {"schema_owner_differs ledger_private": 1},
    ),
    # -- grants --------------------------------------------------------------------------------
    "the right to update a table": (
        "grant update on ledger.payments to ledger_app",
        {"right_to_write_history ledger.payments": 1},
    ),
    "the right to update a column": (
        "grant update (description) on ledger.payments to ledger_writer",
        {"right_to_write_history ledger.payments": 1},
    ),
    "the right to insert into a table, and so every column": (
        "grant insert on ledger.account_changes to ledger_writer",
        {"right_to_write_history ledger.account_changes": 1},
    ),
    "the right to choose a xid": (
        "grant insert (xid) on ledger.payments to ledger_writer",
        {"right_to_write_history ledger.payments": 1},
    ),
    "the right to insert as somebody else": (
        "grant insert (kind) on ledger.payments to ledger_app",
        {"right_to_write_history ledger.payments": 1},
    ),
    "the right to insert into a partition": (
        "grant insert (payment_id) on ledger.payments_default to ledger_writer",
        {"right_to_write_history ledger.payments_default": 1},
    ),
    "the right to delete from a partition": (
        "grant delete on ledger.ledger_entries_default to ledger_purger",
        {"right_to_write_history ledger.ledger_entries_default": 1},
    ),
    "the right to delete keys": (
        "grant delete on ledger.idempotency_keys to ledger_app",
        {"right_to_write_history ledger.idempotency_keys": 1},
    ),
    "the right to update a key": (
        "grant update (fingerprint) on ledger.idempotency_keys to ledger_purger",
        {"right_to_write_history ledger.idempotency_keys": 1},
    ),
    "the right to rename an account": (
        "grant update (code) on ledger.accounts to ledger_writer",
        {"right_to_write_history ledger.accounts": 1},
    ),
    "the right of all to truncate": (
        "grant truncate on ledger.feed_epochs to public",
        {"right_to_write_history ledger.feed_epochs": 1, "granted_to_public ledger.feed_epochs": 1},
    ),
    "the right to put triggers on a table": (
        "grant trigger on ledger.account_changes to ledger_admin",
        {"right_to_write_history ledger.account_changes": 1},
    ),
    # -- triggers ------------------------------------------------------------------------------
    "a trigger switched off": (
        "alter table ledger.account_changes disable trigger refuse_change",
        {"trigger_missing ledger.account_changes": 2},
    ),
    "a trigger that replicas do not fire": (
        "alter table ledger.account_changes enable trigger refuse_change",
        {"trigger_missing ledger.account_changes": 2},
    ),
    "a trigger that only replicas fire": (
        "alter table ledger.feed_epochs enable replica trigger refuse_truncate",
        {"trigger_missing ledger.feed_epochs": 1},
    ),
    "a trigger switched off on one partition": (
        "alter table ledger.payments_default disable trigger refuse_change",
        {"trigger_missing ledger.payments_default": 2},
    ),
    "a trigger that is gone": (
        "drop trigger refuse_delete on ledger.accounts",
        {"trigger_missing ledger.accounts": 1},
    ),
    "a trigger gone from one partition": (
        "drop trigger refuse_truncate on ledger.ledger_entries_default",
        {"trigger_missing ledger.ledger_entries_default": 1},
    ),
    "a trigger with a condition": (
        """
        create or replace trigger refuse_change before update or delete on ledger.feed_epochs
        for each row when (old.feed_epoch > 1) execute function ledger_private.refuse_change();
        alter table ledger.feed_epochs enable always trigger refuse_change
        """,
        {"trigger_missing ledger.feed_epochs": 2},
    ),
    "a trigger on one column": (
        """
        create or replace trigger refuse_change before update of reason or delete
        on ledger.feed_epochs
        for each row execute function ledger_private.refuse_change();
        alter table ledger.feed_epochs enable always trigger refuse_change
        """,
        {"trigger_missing ledger.feed_epochs": 2},
    ),
    "a trigger that comes afterwards": (
        """
        create or replace trigger refuse_truncate after truncate on ledger.feed_epochs
        for each statement execute function ledger_private.refuse_change();
        alter table ledger.feed_epochs enable always trigger refuse_truncate
        """,
        {"trigger_missing ledger.feed_epochs": 1},
    ),
    "a trigger that lets another role delete keys": (
        """
        create or replace trigger refuse_delete before delete on ledger.idempotency_keys
        for each row when (current_user <> 'ledger_admin')
        execute function ledger_private.refuse_change();
        alter table ledger.idempotency_keys enable always trigger refuse_delete
        """,
        {"trigger_missing ledger.idempotency_keys": 1},
    ),
    "a trigger with another function": (
        """
        create function ledger_private.let_pass() returns trigger language plpgsql
        as 'begin return coalesce(new, old); end';
        alter function ledger_private.let_pass() owner to ledger_owner;
        revoke all on function ledger_private.let_pass() from public;
        create or replace trigger refuse_change before update or delete on ledger.feed_epochs
        for each row execute function ledger_private.let_pass();
        alter table ledger.feed_epochs enable always trigger refuse_change
        """,
        {"trigger_missing ledger.feed_epochs": 2},
    ),
    "somebody else's trigger": (
        """
        create trigger suppress before insert on ledger.payments_default
        for each row execute function suppress_redundant_updates_trigger()
        """,
        {"foreign_trigger ledger.payments_default": 1},
    ),
    "foreign keys switched off": (
        "alter table ledger.account_changes disable trigger all;"
        "alter table ledger.account_changes enable always trigger refuse_change;"
        "alter table ledger.account_changes enable always trigger refuse_truncate",
        {"foreign_key_disabled ledger.account_changes": 2},
    ),
    "a rule": (
        "create rule forget as on insert to ledger.account_changes do instead nothing",
        {"rewrite_rule ledger.account_changes": 1},
    ),
    # -- tables --------------------------------------------------------------------------------
    "a partition detached": (
        "alter table ledger.payments detach partition ledger.payments_default",
        {"partition_detached ledger.payments_default": 1},
    ),
    "a partition without its unique index": (
        "drop index ledger.ledger_entries_default_version_is_unique",
        {"unique_index_missing ledger.ledger_entries_default": 1},
    ),
    "keys that need not be unique": (
        "alter table ledger.idempotency_keys drop constraint idempotency_keys_pkey",
        {"unique_index_missing ledger.idempotency_keys": 1},
    ),
    "keys that are unique across ledgers only": (
        """
        alter table ledger.idempotency_keys drop constraint idempotency_keys_pkey;
        create unique index on ledger.idempotency_keys (ledger_id, key, created_at);
        create unique index on ledger.idempotency_keys (ledger_id, key) where payment_id is null;
        """,
        {"unique_index_missing ledger.idempotency_keys": 1},
    ),
    "an index that is not valid": (
        """
        update pg_index set indisvalid = false
        where indexrelid = 'ledger.accounts_code_is_unique'::regclass
        """,
        {"unique_index_missing ledger.accounts": 1},
    ),
    "a partition that no crash survives": (
        "alter table ledger.payments_default set unlogged",
        {"table_not_logged ledger.payments_default": 1},
    ),
    "rows that not everybody sees": (
        "alter table ledger.idempotency_keys enable row level security",
        {"row_security ledger.idempotency_keys": 1},
    ),
    # -- members -------------------------------------------------------------------------------
    "a service that is a member of the owner": (
        "grant ledger_owner to payledger_service",
        {"stranger_in_owning_role payledger_service": 1},
    ),
    "a group that is a member of the writer": (
        "grant ledger_writer to ledger_admin",
        {"stranger_in_owning_role ledger_admin": 1},
    ),
    "a person who writes everything": (
        "create role person login; grant pg_write_all_data to person",
        {"stranger_in_owning_role person": 1},
    ),
    "a migrator who is a service, too": (
        "create role jack createrole; grant ledger_owner, ledger_app to jack",
        {"stranger_in_owning_role jack": 1},
    ),
}

# Problems that break no promise by themselves, so verify_ledger does not know of them.
OTHERS: dict[str, tuple[str, dict[str, int]]] = {
    "a function that runs as its caller": (
        "alter function ledger.get_balance security invoker",
        {"function_not_security_definer ledger.get_balance(text,integer)": 1},
    ),
    "a function replaced in haste": (
        """
        create or replace function ledger.revoke_api_key(p_api_key_id bigint) returns boolean
        language sql as 'select true'
        """,
        {
            "function_not_security_definer ledger.revoke_api_key(bigint)": 1,
            "function_search_path_open ledger.revoke_api_key(bigint)": 1,
        },
    ),
    "a function that searches elsewhere": (
        "alter function ledger.feed_end set search_path = public, pg_catalog, pg_temp",
        {"function_search_path_open ledger.feed_end()": 1},
    ),
    "a function of the superuser's": (
        "alter function ledger.feed_end owner to postgres",
        {"function_owner_differs ledger.feed_end()": 1},
    ),
    "a function with more rights than it needs": (
        "alter function ledger.feed_end owner to ledger_owner",
        {"function_owner_differs ledger.feed_end()": 1},
    ),
    "a helper of the service's": (
        "alter function ledger_private.check_ledger owner to payledger_service",
        {"function_owner_differs ledger_private.check_ledger(integer)": 1},
    ),
    "a function for everybody": (
        "grant execute on function ledger.feed_end to public",
        {"granted_to_public ledger.feed_end()": 1},
    ),
    "a schema for everybody": (
        "grant usage on schema ledger_private to public",
        {"granted_to_public ledger_private": 1},
    ),
    "a column for everybody": (
        "grant select (secret_sha256) on ledger.api_keys to public",
        {"granted_to_public ledger.api_keys": 1},
    ),
    "a role that may create functions": (
        "grant create on schema ledger to ledger_app",
        {"may_create_in_schema ledger": 1},
    ),
    "a group to log in as": (
        "alter role ledger_reader login",
        {"role_can_log_in ledger_reader": 1},
    ),
    "a group with powers": (
        "alter role ledger_writer createrole",
        {"role_too_powerful ledger_writer": 1},
    ),
    "a group that is gone": (
        "alter role ledger_auditor rename to was_auditor",
        {"role_missing ledger_auditor": 1},
    ),
    "a row nobody made a partition for": (
        """
        insert into ledger.payments (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)
        values ('017f22e2-79b0-7cc3-98c4-dc0c0c07398f', now(), 1, 1, 'payment', '{}')
        """,
        {"default_partition_in_use ledger.payments": 1},
    ),
    "a time to come nobody made a partition for": (
        """
        do $$
        declare
          v_partition regclass;
        begin
          for v_partition in
            select partition from ledger_private.partitions('ledger.ledger_entries')
            where from_id > ledger_private.payment_id_at(now())
          loop
            execute format('drop table %s', v_partition);
          end loop;
        end
        $$
        """,
        {"partitions_not_ahead ledger.ledger_entries": 1},
    ),
}
