"""Of what keeps history as it was: triggers, owners, rights, and who may ask for what."""

from __future__ import annotations

from mutants.mutant import Mutant

_GRANTS = "db/functions/90_grants.sql"
_TRIGGERS = "db/functions/30_triggers/refuse_change.sql"
_PARTITION = "db/functions/10_private/build_partition.sql"
_ROLES = "tests/integration/test_roles.py::"
_BY_ITS_OWNER = (
    f"{_ROLES}test_members_of_the_owner_are_stopped_by_the_triggers_until_they_disable_them"
)
_PAST_FUNCTIONS = f"{_ROLES}test_no_role_can_write_history_past_the_functions"
_CHANGE_ROWS = f"{_ROLES}test_no_role_can_change_or_remove_rows_of_history"
_EXECUTE = f"{_ROLES}test_each_role_may_execute_only_what_it_is_for"

MUTANTS = (
    Mutant(
        name="history-may-be-updated",
        file=_TRIGGERS,
        old="before update or delete on ledger.%I '",
        new="before delete on ledger.%I '",
        breach="the owner of a table rewrites entries",
        tests=(_BY_ITS_OWNER, "db/tests/30_triggers/refuse_change.sql"),
    ),
    Mutant(
        name="history-may-be-deleted",
        file=_TRIGGERS,
        old="before update or delete on ledger.%I '",
        new="before update on ledger.%I '",
        breach="the owner of a table removes entries",
        tests=(_BY_ITS_OWNER, "db/tests/30_triggers/refuse_change.sql"),
    ),
    Mutant(
        name="replicas-fire-no-triggers",
        file=_TRIGGERS,
        old="enable always trigger refuse_change'",
        new="enable trigger refuse_change'",
        breach="session_replication_role switches the triggers off",
        tests=("db/tests/30_triggers/refuse_change.sql",),
    ),
    Mutant(
        name="keys-may-be-changed",
        file=_TRIGGERS,
        old="  before update on ledger.idempotency_keys\n  for each row execute function",
        new="  before update on ledger.idempotency_keys\n"
        "  for each row when (false) execute function",
        breach="a key is made to answer for another payment",
        tests=("db/tests/30_triggers/refuse_change.sql", _BY_ITS_OWNER),
    ),
    Mutant(
        name="anybody-deletes-keys",
        file=_TRIGGERS,
        old="when (current_user <> 'ledger_purger')",
        new="when (false)",
        breach="a key is removed, and its retry posts again",
        tests=("db/tests/30_triggers/refuse_change.sql", _BY_ITS_OWNER),
    ),
    Mutant(
        name="partitions-may-be-truncated",
        file=_PARTITION,
        old="'create trigger refuse_truncate before truncate on ledger.%I '\n"
        "    'for each statement execute",
        new="'create trigger refuse_truncate before truncate on ledger.%I '\n"
        "    'for each statement when (false) execute",
        breach="the owner of a table empties a month of entries",
        tests=("db/tests/10_private/build_partition.sql", _BY_ITS_OWNER),
    ),
    Mutant(
        name="everybody-may-execute",
        file=_GRANTS,
        old="revoke all on all functions in schema ledger, ledger_private from public;\n",
        new="",
        breach="every login posts, and calls the helpers past the checks",
        tests=(_EXECUTE,),
    ),
    Mutant(
        name="tables-are-not-revoked-from-everybody",
        file=_GRANTS,
        old="revoke all on all tables in schema ledger, ledger_private from public;\n",
        new="",
        breach="everybody reads",
        equivalent="PUBLIC has no rights on a new table. The line takes back what somebody granted "
        "by hand, and check_installation finds that, too.",
    ),
    Mutant(
        name="owners-of-functions-may-create",
        file=_GRANTS,
        old="execute format('revoke create on schema ledger from %I', v_role);",
        new="null;",
        breach="who finds a hole in a function makes functions of its own beside it",
        tests=(f"{_ROLES}test_no_role_can_become_another_or_change_the_functions",),
    ),
    Mutant(
        name="writers-choose-their-transaction-id",
        file=_GRANTS,
        old="    related_payment_id)\n",
        new="    related_payment_id, xid)\n",
        breach="a payment hides from the feed",
        tests=(_PAST_FUNCTIONS,),
    ),
    Mutant(
        name="writers-rename-accounts",
        file=_GRANTS,
        old="  update (balance, held, version, status, min_balance, max_balance, metadata)\n"
        "  on ledger.accounts",
        new="  update\n  on ledger.accounts",
        breach="an account becomes another one's",
        tests=(_PAST_FUNCTIONS,),
    ),
    Mutant(
        name="writers-update-entries",
        file=_GRANTS,
        old="grant insert on ledger.ledger_entries, ledger.idempotency_keys to ledger_writer;",
        new="grant insert, update on ledger.ledger_entries, ledger.idempotency_keys "
        "to ledger_writer;",
        breach="a bug in a posting function can rewrite history, as far as the triggers let it",
        tests=(_CHANGE_ROWS,),
    ),
    Mutant(
        name="the-purger-deletes-payments",
        file=_GRANTS,
        old="grant delete, update (created_at) on ledger.idempotency_keys to ledger_purger;",
        new="grant delete, update (created_at) on ledger.idempotency_keys to ledger_purger;\n"
        "grant delete on ledger.payments to ledger_purger;",
        breach="the one function that deletes may delete history",
        tests=(_CHANGE_ROWS,),
    ),
    Mutant(
        name="the-service-reads-the-tables",
        file=_GRANTS,
        old="  to ledger_reader, ledger_auditor;\n",
        new="  to ledger_reader, ledger_auditor, ledger_app;\n",
        breach="who gets into the service reads every ledger at once",
        tests=(f"{_ROLES}test_the_service_s_login_can_do_what_the_service_needs_and_no_more",),
    ),
    Mutant(
        name="readers-post",
        file=_GRANTS,
        old="ledger.check_installation\n  to ledger_app;",
        new="ledger.check_installation\n  to ledger_app, ledger_reader;",
        breach="people who may look may post",
        tests=(_EXECUTE,),
    ),
    Mutant(
        name="everybody-knows-what-messages-are-signed-with",
        file=_GRANTS,
        old="ledger.release_relay_lease\n  to ledger_relay;",
        new="ledger.release_relay_lease\n  to ledger_relay, ledger_reader;",
        breach="any reader forges the relay's messages",
        tests=(
            f"{_ROLES}test_only_the_relay_may_lead_and_knows_what_messages_are_signed_with",
            _EXECUTE,
        ),
    ),
    Mutant(
        name="posting-follows-the-callers-search-path",
        file="db/functions/20_api/post_payment.sql",
        old="set search_path = pg_catalog, pg_temp\n",
        new="",
        breach="a caller's own operator runs with the writer's rights",
        tests=(
            f"{_ROLES}test_nothing_on_the_caller_s_search_path_is_run_with_a_function_s_rights",
        ),
    ),
    Mutant(
        name="revoked-api-keys-work",
        file="db/functions/20_api/find_api_key.sql",
        old="\n    and revoked_at is null",
        new="",
        breach="who was shut out goes on posting",
        tests=("db/tests/20_api/find_api_key.sql",),
    ),
)
