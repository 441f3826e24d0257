"""Attacks by every role on the history, over a real connection of a login that has only that role.

All that is tried must be refused with the SQLSTATE that says why, and nothing may have changed.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support import snapshot
from support.databases import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.databases import Connection
    from support.servers import Server

CALLERS = ["ledger_app", "ledger_relay", "ledger_reader", "ledger_auditor", "ledger_admin"]
OWNERS = ["ledger_writer", "ledger_purger", "ledger_lookup"]
ROLES = [*CALLERS, *OWNERS, "nobody"]

DENIED = "42501"
APPEND_ONLY = "LG801"
WRONG_KIND = "42809"  # of table: told before the rights are looked at
NO_SUCH_TABLE = "42P01"

HISTORY = ["payments", "ledger_entries", "account_changes", "idempotency_keys", "feed_epochs"]
ROWS = """
select md5(string_agg(row, '|' order by row))
from (
  select 'ledger ' || t::text from ledger.ledgers t
  union all select 'currency ' || t::text from ledger.currencies t
  union all select 'account ' || t::text from ledger.accounts t
  union all select 'change ' || t::text from ledger.account_changes t
  union all select 'payment ' || t::text from ledger.payments t
  union all select 'entry ' || t::text from ledger.ledger_entries t
  union all select 'key ' || t::text from ledger.idempotency_keys t
  union all select 'api key ' || t::text from ledger.api_keys t
  union all select 'epoch ' || t::text from ledger.feed_epochs t
  union all select 'settings ' || t::text from ledger_private.settings t
) rows (row)
"""
PARTITIONS = """
select inhrelid::regclass::text from pg_inherits
where inhparent in ('ledger.payments'::regclass, 'ledger.ledger_entries'::regclass)
order by 1
"""
SETUP = """
select
  ledger.create_account('world', 'USD', p_min_balance => null),
  ledger.create_account('alice', 'USD'), ledger.create_account('bob', 'USD'),
  ledger.post_payment('fund', 'world', 'alice', 500, 'USD'),
  ledger.post_payment('refused', 'alice', 'bob', 501, 'USD'),
  ledger.create_api_key('key', sha256('secret'), '{admin}');
create schema evil;
grant all on schema evil to public;
"""


@dataclass
class Attacked:
    """A database to attack, with what it was before."""

    database: Database
    superuser: Connection
    tables: list[str] = field(default_factory=list)  # of history, partitions included
    before: tuple[str, str] = ("", "")

    async def state(self) -> tuple[str, str]:
        return await self.superuser.fetchval(ROWS), await snapshot.take(self.superuser)

    async def attacker(self, role: str) -> Connection:
        """A connection of a login that is a member of the role and of nothing else."""
        login = f"attacker_{role}"
        self.database.server.new_login(login, None if role == "nobody" else role)
        return await self.database.connect(login)


@pytest.fixture(scope="module")
def attacked_name(server: Server) -> Iterator[str]:
    name = server.new_database()
    server.sql(SETUP, name)
    yield name
    server.postgres.drop_database(name)
    server.drop_logins()
    # Roles belong to the server: verify_ledger would rightly find these in every other test.
    for login in server.logins:
        role = login.removeprefix("attacker_")
        if role != login and role != "nobody":
            server.sql(f"revoke {role} from {login}")


@pytest.fixture
async def attacked(server: Server, attacked_name: str) -> AsyncIterator[Attacked]:
    database = Database(server, attacked_name)
    attacked = Attacked(database, await database.connect("postgres"))
    partitions = [row[0] for row in await attacked.superuser.fetch(PARTITIONS)]
    attacked.tables = [f"ledger.{table}" for table in HISTORY] + partitions
    attacked.before = await attacked.state()
    yield attacked
    assert await attacked.state() == attacked.before
    await database.close()


async def results(con: Connection, attacks: list[str]) -> dict[str, str]:
    """The SQLSTATE that each attack ended with, every one in a transaction of its own."""
    found = {}
    for attack in attacks:
        transaction = con.transaction()
        await transaction.start()
        try:
            await con.execute(attack)
            found[attack] = "it worked"
        except asyncpg.PostgresError as error:
            found[attack] = str(error.sqlstate)
        finally:
            await transaction.rollback()
    return found


def unexpected(found: dict[str, str], *expected: str) -> dict[str, str]:
    return {attack: state for attack, state in found.items() if state not in expected}


def changes_of_tables(tables: list[str]) -> list[str]:
    """What the owner of a table could do to it."""
    return [
        attack.format(table)
        for table in tables
        for attack in (
            "truncate {}",
            "truncate {} cascade",
            "drop table {} cascade",
            "alter table {} disable trigger all",
            "alter table {} disable trigger refuse_change",
            "alter table {} disable trigger user",
            "alter table {} enable replica trigger refuse_change",
            "alter table {} add column evil int",
            "alter table {} drop column ledger_id cascade",
            "alter table {} owner to current_user",
            "alter table {} set schema evil",
            "alter table {} rename to evil",
            "alter table {} disable row level security",
            "alter table {} set unlogged",
            "alter table {} no inherit ledger.payments",
            "drop trigger refuse_change on {}",
            "create trigger evil before insert on {} for each row"
            " execute function suppress_redundant_updates_trigger()",
            "create rule evil as on insert to {} do instead nothing",
            "create policy evil on {} using (true)",
            "create index evil on {} (ledger_id)",
            "create statistics evil.s on ledger_id, xmin from {}",
            "create table evil.child () inherits ({})",
            "comment on table {} is 'evil'",
            "cluster {}",
            "lock table {} in access exclusive mode",
        )
    ]


NOT_ABOUT_RIGHTS = ("no inherit", "create statistics", "set unlogged", "cluster")


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_alter_a_table_of_history(attacked: Attacked, role: str) -> None:
    found = await results(await attacked.attacker(role), changes_of_tables(attacked.tables))
    # LOCK TABLE asks for no more than the right to change rows, which refuse_change then stops.
    about_rights = {
        attack: state
        for attack, state in found.items()
        if not any(words in attack for words in NOT_ABOUT_RIGHTS)
        and not (role == "ledger_purger" and attack.startswith("lock table"))
    }
    assert unexpected(about_rights, DENIED, WRONG_KIND) == {}
    assert "it worked" not in {
        state for attack, state in found.items() if not attack.startswith("lock table")
    }


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_change_or_remove_rows_of_history(attacked: Attacked, role: str) -> None:
    columns = {
        "payments": ["posted_at", "xid", "kind", "metadata", "payment_id"],
        "ledger_entries": ["amount", "balance_after", "version", "account_id"],
        "account_changes": ["min_balance", "changed_by", "xid"],
        "idempotency_keys": ["payment_id", "outcome", "fingerprint", "created_at", "key"],
        "feed_epochs": ["reason", "started_by"],
    }
    attacks = []
    for table in attacked.tables:
        parent = next(name for name in HISTORY if table.startswith(f"ledger.{name}"))
        attacks += [f"update {table} set {column} = {column}" for column in columns[parent]]
        attacks += [f"delete from {table}", f"delete from only {table} where true"]
        attacks.append(f"merge into {table} t using (select 1) s on true when matched then delete")
    found = await results(await attacked.attacker(role), attacks)
    if role == "ledger_purger":  # may delete keys, but only inside its function; see the trigger
        keys = {attack: state for attack, state in found.items() if "idempotency_keys" in attack}
        assert unexpected(keys, DENIED, APPEND_ONLY) == {}
        found = {attack: state for attack, state in found.items() if attack not in keys}
    assert unexpected(found, DENIED) == {}


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_write_history_past_the_functions(attacked: Attacked, role: str) -> None:
    con = await attacked.attacker(role)
    new_id = "'01980000-0000-7000-8000-000000000001'"
    attacks = {
        "insert into TABLE (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata)"
        f" values ({new_id}, now(), 1, 1, 'payment', '{{}}')": "payments",
        "insert into TABLE (payment_id, posted_at, ledger_id, feed_epoch, kind, metadata, xid)"
        f" values ({new_id}, now(), 1, 1, 'payment', '{{}}', '3')": "payments",
        "insert into TABLE (payment_id, account_id, version, ledger_id, posting_no, amount, held,"
        f" balance_after, held_after) values ({new_id}, 2, 9, 1, 1, 5, 0, 5, 0)": "ledger_entries",
        "insert into TABLE (ledger_id, account_id, from_version, status, metadata)"
        " values (1, 2, 9, 'open', '{}')": "account_changes",
        "insert into TABLE (ledger_id, account_id, from_version, status, metadata, changed_by)"
        " values (1, 2, 9, 'open', '{}', 'somebody')": "account_changes",
        "insert into TABLE (ledger_id, key, fingerprint, outcome, render_version, created_at)"
        " values (1, 'evil', sha256('x'), '{}', 1, now())": "idempotency_keys",
        "insert into TABLE (system_identifier, timeline, reason)"
        " values (1, '1', 'x')": "feed_epochs",
    }
    statements = []
    for table in attacked.tables:
        for attack, parent in attacks.items():
            if table.startswith(f"ledger.{parent}"):
                # What the posting functions may do themselves: their owner's rights, no more.
                own = role == "ledger_writer" and table == f"ledger.{parent}"
                if not own or "xid" in attack or "changed_by" in attack or parent == "feed_epochs":
                    statements.append(attack.replace("TABLE", table))
    statements += [
        "update ledger.accounts set code = 'evil'",
        "update ledger.accounts set account_id = default",
        "update ledger.accounts set currency = 'EUR'",
        "delete from ledger.accounts",
        "update ledger.error_codes set message = 'x'",
        "update ledger.currencies set exponent = 3",
        "delete from ledger.currencies",
        "update ledger.ledgers set name = 'evil'",
        "delete from ledger.ledgers",
        "delete from ledger.api_keys",
        "update ledger.api_keys set scopes = '{admin}'",
        "update ledger.api_keys set ledger_ids = null",
        "update ledger_private.settings set partitions_ahead = 1",
        "delete from ledger_private.schema_migrations",
        "update ledger_private.function_files set checksum = 'x'",
        "select setval('ledger.accounts_account_id_seq', 1)",
        "select nextval('ledger.ledgers_ledger_id_seq')",
    ]
    if role != "ledger_writer":
        statements += [
            "update ledger.accounts set balance = 1000000 where code = 'bob'",
            "update ledger.accounts set min_balance = null where code = 'bob'",
            "insert into ledger.accounts (ledger_id, code, currency, type)"
            " values (1, 'evil', 'USD', 'asset')",
            "update ledger.api_keys set revoked_at = null",
            "insert into ledger.api_keys (name, secret_sha256, scopes)"
            " values ('evil', sha256('x'), '{admin}')",
            "update ledger.ledgers set idempotency_retention = '1 hour'",
        ]
    assert unexpected(await results(con, statements), DENIED) == {}
    for table in [*attacked.tables, "ledger.accounts", "ledger.api_keys"]:
        if role == "ledger_writer" and table in (
            "ledger.ledger_entries",
            "ledger.idempotency_keys",
        ):
            continue  # all columns are the posting functions' to write
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await con.copy_to_table(
                table.partition(".")[2], schema_name="ledger", source=io.BytesIO(b"\\N\n")
            )


@pytest.mark.parametrize("role", ROLES)
async def test_no_role_can_become_another_or_change_the_functions(
    attacked: Attacked, role: str
) -> None:
    con = await attacked.attacker(role)
    attacks = [
        f"set role {other}"
        for other in ["ledger_owner", *OWNERS, *CALLERS, "postgres", "payledger_migrator"]
        if other != role
    ]
    attacks += [
        "set session authorization ledger_owner",
        "set session authorization postgres",
        "set session_replication_role = replica",
        "set local session_replication_role = 'replica'",
        "select set_config('session_replication_role', 'replica', true)",
        f"alter role attacker_{role} set session_replication_role = replica",
        "alter role ledger_owner login",
        f"grant ledger_owner to attacker_{role}",
        f"grant ledger_writer to attacker_{role}",
        "create role evil",
        "set allow_system_table_mods = on",
        "update pg_trigger set tgenabled = 'D'",
        "delete from pg_trigger",
        "update pg_proc set prosecdef = false",
        "update pg_class set relowner = 0",
        "create event trigger evil on ddl_command_start execute function lo_close()",
        "create function ledger.evil() returns int language sql as 'select 1'",
        "create function ledger_private.evil() returns int language sql as 'select 1'",
        "create function ledger.post_payment() returns int language sql as 'select 1'",
        "create table ledger.evil ()",
        "create view ledger.evil as select 1",
        "create type ledger.evil as (a int)",
        "create operator ledger.= (leftarg = text, rightarg = text, function = texteq)",
        "alter function ledger.post_payment security invoker",
        "alter function ledger.post_payment reset search_path",
        "alter function ledger.post_payment set search_path = evil",
        "alter function ledger.post_payment owner to current_user",
        "alter function ledger.post_payment rename to evil",
        "alter function ledger.post_payment set schema evil",
        "drop function ledger.post_payment",
        "alter domain ledger.amount drop constraint amount_is_positive",
        "alter type ledger.payment_result add attribute evil int",
        "alter schema ledger rename to evil3",
        "alter schema ledger owner to current_user",
        "drop schema ledger cascade",
        "drop owned by ledger_owner",
        "reassign owned by ledger_owner to current_user",
        "copy (select 1) to program 'true'",
        "copy pg_temp.x from '/etc/passwd'",
        "select pg_read_file('/etc/passwd')",
        "select lo_import('/etc/passwd')",
        "create extension file_fdw",
        "create language plpython3u",
        "load 'auto_explain'",
        f"alter database {attacked.database.name} set search_path = evil",
        "create schema evil2",
        "create publication evil for all tables",
        "security label on table ledger.payments is 'evil'",
    ]
    if role == "ledger_writer":  # whose functions they are
        attacks = [attack for attack in attacks if "function ledger.post_payment" not in attack]
    found = await results(con, attacks)
    for alone in ("alter system set fsync = off", f"drop database {attacked.database.name}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await con.execute(alone)
    # What is missing or unknown is told before the right to have it is asked for.
    elsewhere = (
        "copy pg_temp",
        "create extension",
        "create language",
        "security label",
        "create event",
    )
    told_first = {a: found.pop(a) for a in attacks if a.startswith(elsewhere)}
    assert unexpected(found, DENIED) == {}
    assert "it worked" not in told_first.values()


@pytest.mark.parametrize("role", ROLES)
async def test_helpers_and_secrets_are_not_for_callers(attacked: Attacked, role: str) -> None:
    con = await attacked.attacker(role)
    sql = (
        "select p.oid::regprocedure::text from pg_proc p"
        " join pg_namespace n on n.oid = p.pronamespace"
        " where nspname = 'ledger_private' and prorettype <> 'trigger'::regtype"
        " and not has_function_privilege($1, p.oid, 'execute')"
    )
    login = f"attacker_{role}"
    denied = {row[0] for row in await attacked.superuser.fetch(sql, login)}
    sql = sql.replace("and not", "and")
    allowed = {row[0] for row in await attacked.superuser.fetch(sql, login)}
    assert denied if role not in OWNERS else allowed
    assert not (denied and allowed)
    secrets = [
        "select secret_sha256 from ledger.api_keys",
        "select rolpassword from pg_authid",
        "select notification_secret from ledger_private.settings",
    ]
    if role not in ("ledger_writer", "ledger_lookup"):
        assert unexpected(await results(con, secrets), DENIED) == {}
    if role in ("ledger_app", "ledger_relay", "nobody"):
        reading = [f"select * from {table}" for table in [*attacked.tables, "ledger.accounts"]]
        assert unexpected(await results(con, reading), DENIED) == {}


RELAYING = [
    "select * from ledger.notification_secret()",
    "select * from ledger.take_relay_lease('evil', 'evil')",
    "select * from ledger.read_changes()",
    "select * from ledger.tell_changes(0, 'evil', null, true, 'evil')",
    "select ledger.release_relay_lease(0)",
]


@pytest.mark.parametrize("role", ROLES)
async def test_only_the_relay_may_lead_and_knows_what_messages_are_signed_with(
    attacked: Attacked, role: str
) -> None:
    con = await attacked.attacker(role)
    found = await results(con, RELAYING)
    if role == "ledger_relay":
        assert set(found.values()) == {"it worked"}
    else:  # owners may execute what is their own
        own = {
            "ledger_writer": ("take_relay_lease", "tell_changes", "release_relay_lease"),
            "ledger_lookup": ("notification_secret", "read_changes"),
        }.get(role, ())
        others = {attack: s for attack, s in found.items() if not any(n in attack for n in own)}
        assert unexpected(others, DENIED) == {}
        assert len(others) == len(RELAYING) - len(own)

    rows = [
        "insert into ledger_private.relay_lease default values",
        "delete from ledger_private.relay_lease",
        "truncate ledger_private.relay_lease",
        "update ledger_private.relay_lease set only_row = only_row",
        "update ledger_private.settings set notification_secret = ''",
        "update ledger_private.settings set install_id = gen_random_uuid()",
    ]
    if role != "ledger_writer":
        rows += [
            "update ledger_private.relay_lease set term = term + 1",
            "update ledger_private.relay_lease set expires_at = 'infinity'",
            "select * from ledger_private.relay_lease for update",
        ]
        if role != "ledger_lookup":
            rows += ["select * from ledger_private.relay_lease"]
    assert unexpected(await results(con, rows), DENIED) == {}


EVIL = """
create function evil.caught(p_what text) returns void language plpgsql as $$
begin
  raise exception 'hijacked: % runs as %', p_what, current_user using errcode = 'XX001';
end $$;
"""
EVIL_OPERATORS = [
    ("text", "="), ("text", "<>"), ("numeric", "="), ("numeric", "<"), ("numeric", ">"),
    ("numeric", "+"), ("integer", "="), ("bytea", "<>"), ("jsonb", "||"),
]  # fmt: skip
EVIL_FUNCTIONS = [
    "sha256(bytea)", "length(text)", "trunc(numeric)", "abs(numeric)", "clock_timestamp()",
    "set_config(text, text, boolean)", "current_setting(text)", "jsonb_typeof(jsonb)",
    "jsonb_array_length(jsonb)", "convert_to(text, name)", "to_json(text)", "uuidv7()",
    "gen_random_uuid()", "jsonb_array_elements(jsonb)", "left(text, integer)",
]  # fmt: skip


@pytest.mark.parametrize("schema", ["evil", "pg_temp"])
async def test_nothing_on_the_caller_s_search_path_is_run_with_a_function_s_rights(
    attacked: Attacked, schema: str
) -> None:
    """Own functions, operators, casts and tables in front of everybody's."""
    await attacked.superuser.execute("drop schema evil cascade; create schema evil")
    await attacked.superuser.execute("grant all on schema evil to public")
    con = await attacked.attacker("ledger_app")
    own = schema
    await con.execute(EVIL.replace("evil.", f"{own}."))
    for signature in EVIL_FUNCTIONS:
        await con.execute(
            f"create function {own}.{signature} returns boolean language plpgsql as"
            f" $$ begin perform {own}.caught($w${signature}$w$); return null; end $$"
        )
    for type_, operator in EVIL_OPERATORS:
        name = f"op_{type_}_{EVIL_OPERATORS.index((type_, operator))}"
        await con.execute(
            f"create function {own}.{name}({type_}, {type_}) returns boolean language plpgsql as"
            f" $$ begin perform {own}.caught('{name}'); return true; end $$"
        )
        await con.execute(
            f"create operator {own}.{operator}"
            f" (leftarg = {type_}, rightarg = {type_}, function = {own}.{name})"
        )
    for table in ("accounts", "ledgers", "payments", "idempotency_keys", "error_codes", "pg_class"):
        await con.execute(f"create table {own}.{table} (evil int)")
    await con.execute(f"set search_path = {own}, ledger, ledger_private, pg_temp, pg_catalog")
    with pytest.raises(asyncpg.PostgresError) as caught:  # the trap itself works
        await con.execute(f"select {own}.sha256('x'::bytea)")
    assert caught.value.sqlstate == "XX001"

    transaction = con.transaction()
    await transaction.start()
    for call in (
        "create_account('new', 'USD')",
        "create_account('alice', 'USD')",
        "post_payment('k', 'alice', 'bob', 1, 'USD', 'd', '{\"a\": 1}', '2026-01-01Z')",
        "post_payment('k', 'alice', 'bob', 1, 'USD', 'd', '{\"a\": 1}', '2026-01-01Z')",
        "post_payment('k', 'alice', 'bob', 2, 'USD')",
        "post_payment('k2', 'alice', 'bob', 1.5, 'usd')",
        "post_payment('k2', 'alice', 'bob', 9999, 'USD')",
        'post_compound_payment(\'k3\', \'[{"from": "alice", "to": "bob", "amount": "1",'
        ' "currency": "USD"}]\')',
        "get_account('alice')",
        "get_payment((ledger.find_payment_by_key('k')).payment_id)",
    ):
        await con.execute(f"select ledger.{call}")
    for call in (
        'post_payments(\'[{"idempotency_key": "k4", "from": "alice", "to": "bob",'
        ' "amount": 1, "currency": "USD", "effective_at": "2026-01-01T00:00:00Z"}]\')',
        "get_balance('alice')",
        "list_accounts('a')",
        "list_entries('alice')",
        "find_ledger('main')",
        "find_api_key(1)",
        "create_ledger('evil')",
    ):
        await con.execute(f"select * from ledger.{call}")
    balance = await con.fetchrow("select * from ledger.get_balance('alice')")
    assert balance is not None
    assert (str(balance["balance"]), balance["version"]) == ("497", 4)
    await transaction.rollback()
    await attacked.superuser.execute("drop schema evil cascade; create schema evil")
    await attacked.superuser.execute("grant all on schema evil to public")


async def test_members_of_the_owner_are_stopped_by_the_triggers_until_they_disable_them(
    attacked: Attacked,
) -> None:
    """Nobody logs in so; what they would do is what verify_ledger and check_installation find."""
    con = await attacked.attacker("ledger_owner")
    with_rows = [f"ledger.{table}" for table in HISTORY] + [
        row[0]
        for row in await attacked.superuser.fetch(
            "select distinct tableoid::regclass::text from ledger.payments"
            " union select distinct tableoid::regclass::text from ledger.ledger_entries"
        )
    ]
    attacks = [f"truncate {table}" for table in [*attacked.tables, "ledger.accounts cascade"]]
    attacks += [f"delete from {table}" for table in [*with_rows, "ledger.accounts"]]
    attacks += [
        f"update {table} set ledger_id = ledger_id" for table in with_rows if "epochs" not in table
    ]
    attacks += ["update ledger.feed_epochs set reason = reason"]
    assert unexpected(await results(con, attacks), APPEND_ONLY) == {}

    switches = [
        "set session_replication_role = replica",
        "set role postgres",
        "alter role ledger_owner superuser",
    ]
    assert unexpected(await results(con, switches), DENIED) == {}

    allowed = "alter table ledger.account_changes disable trigger refuse_change"
    found = await results(con, [allowed, f"{allowed}; delete from ledger.account_changes"])
    assert set(found.values()) == {"it worked"}


async def test_the_service_s_login_can_do_what_the_service_needs_and_no_more(
    attacked: Attacked,
) -> None:
    con = await attacked.database.connect("payledger_service")
    allowed = [
        "select ledger.create_account('new', 'USD')",
        "select ledger.create_ledger('new')",
        "select ledger.post_payment('k', 'alice', 'bob', 1, 'USD')",
        "select * from ledger.post_payments('[]')",
        "select ledger.get_account('alice')",
        "select * from ledger.list_entries('alice')",
        "select * from ledger.find_api_key(1)",
        "select ledger.purge_idempotency_keys()",
        "select * from ledger.maintain_partitions()",
        "select * from ledger.error_codes",
        "select * from ledger_private.schema_migrations",
        "select ledger.cache_epoch()",
        *RELAYING,
    ]
    assert set((await results(con, allowed)).values()) == {"it worked"}
    refused = [
        "select ledger.create_api_key('x', sha256('x'), '{admin}')",
        "select ledger.list_api_keys()",
        "select ledger.revoke_api_key(1)",
        "select ledger.set_account_limits('alice', null, null)",
        "select ledger.set_account_status('alice', 'frozen')",
        "select ledger.set_ledger_retention(1, '1 hour')",
        "select ledger.create_currency('EVIL', 0, 'x')",
        "select * from ledger.accounts",
        "select * from ledger.payments",
        "select * from ledger.api_keys",
        "set session_replication_role = replica",
        "set role ledger_writer",
    ]
    assert unexpected(await results(con, refused), DENIED) == {}


async def test_the_migrator_s_login_can_administer(attacked: Attacked) -> None:
    con = await attacked.database.connect("payledger_migrator")
    has = "select pg_has_role('payledger_migrator', 'ledger_admin', 'usage')"
    assert await con.fetchval(has)
    allowed = [
        "select ledger.create_api_key('x', sha256('x'), '{admin}')",
        "select ledger.list_api_keys()",
        "select ledger.set_account_limits('alice', null, null)",
        "select ledger.set_account_status('alice', 'frozen')",
        "select ledger.set_ledger_retention(1, '1 hour')",
        "select ledger.create_currency('EVIL', 0, 'x')",
    ]
    assert set((await results(con, allowed)).values()) == {"it worked"}
    refused = ["set session_replication_role = replica", "set role postgres"]
    assert unexpected(await results(con, refused), DENIED) == {}


@pytest.mark.parametrize("role", CALLERS)
async def test_each_role_may_execute_only_what_it_is_for(attacked: Attacked, role: str) -> None:
    sql = """
        select array_agg(p.proname::text order by p.proname)
        from pg_proc p where pronamespace = 'ledger'::regnamespace
        and has_function_privilege($1, p.oid, 'execute')
    """
    may = set(await attacked.superuser.fetchval(sql, role) or [])
    posting = {"post_payment", "post_payments", "post_compound_payment"}
    administering = {"set_account_limits", "set_account_status", "create_api_key", "start_epoch",
                     "set_ledger_retention", "create_currency", "revoke_api_key"}  # fmt: skip
    assert (posting <= may) is (role == "ledger_app")
    assert bool(posting & may) is (role == "ledger_app")
    assert (administering <= may) is (role == "ledger_admin")
    assert bool(administering & may) is (role == "ledger_admin")
    if role in ("ledger_reader", "ledger_auditor"):
        writes = {name for name in may if not name.startswith(("get_", "list_", "find_"))}
        reads = {"require_posted", "verify_ledger", "check_installation", "cache_epoch"}
        reads |= {"replica_position"}
        assert writes <= reads
