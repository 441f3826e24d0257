"""ledger.check_installation: what a restore, a hasty hand or a wrong setting does is found."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.databases import Database
from tamperings import OTHERS, TAMPERINGS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.databases import Connection
    from support.servers import Server

# How a helper's text gives a problem its name.
PROBLEM_NAMES = re.compile(r"select\s+'([a-z_]+)'")

# The tests' servers are not durable (support/servers.py), and the forger is a superuser.
NOT_DURABLE = {"setting_unsafe fsync": 1, "setting_unsafe full_page_writes": 1}
OF_TESTS = NOT_DURABLE | {"login_is_superuser postgres": 1}


async def check(con: Connection) -> Counter[str]:
    """The problems, each with what it is about: "trigger_missing ledger.payments"."""
    rows = await con.fetch("select * from ledger.check_installation()")
    assert all(row["detail"] for row in rows)
    return Counter(f"{row['problem']} {row['subject'].split()[1]}" for row in rows)


@pytest.fixture(scope="module")
def installation(server: Server) -> Iterator[Database]:
    """One database for all that is rolled back."""
    database = Database(server, server.new_database())
    yield database
    server.postgres.drop_database(database.name)


@pytest.fixture
async def forger(installation: Database) -> AsyncIterator[Connection]:
    """A superuser in a transaction, which is rolled back."""
    async with installation.connection("postgres") as con:
        await con.execute("begin")
        yield con
        await con.execute("rollback")


def cases(of: dict[str, tuple[str, dict[str, int]]]) -> pytest.MarkDecorator:
    names = [name.replace(" ", "-") for name in of]
    return pytest.mark.parametrize(("sql", "expected"), of.values(), ids=names)


@cases(TAMPERINGS)
async def test_what_could_let_history_be_changed_is_found_by_both(
    forger: Connection, sql: str, expected: dict[str, int]
) -> None:
    await forger.execute(sql)
    assert await check(forger) == OF_TESTS | expected
    breaches = await forger.fetch("select breach from ledger.verify_ledger()")
    assert Counter(row["breach"] for row in breaches) == Counter(
        problem
        for name, count in expected.items()
        for problem in [name.split()[0]] * count
        if problem != "granted_to_public"
    )


@cases(OTHERS)
async def test_what_else_is_wrong_is_found(
    forger: Connection, sql: str, expected: dict[str, int]
) -> None:
    await forger.execute(sql)
    assert await check(forger) == OF_TESTS | expected


async def test_every_problem_is_among_these(forger: Connection) -> None:
    sources = await forger.fetch(
        "select prosrc from pg_proc where pronamespace = 'ledger_private'::regnamespace"
        " and proname ~ '^(append_only|check_installation)_'"
    )
    problems = {name for row in sources for name in PROBLEM_NAMES.findall(row["prosrc"])}
    assert len(problems) > 20
    found = {name.split()[0] for _, expected in (TAMPERINGS | OTHERS).values() for name in expected}
    # These take another login or another server: below.
    found |= {"login_is_superuser", "login_too_powerful", "timeout_missing", "setting_unsafe"}
    assert problems == found


# -- logins --------------------------------------------------------------------------------------


async def test_the_services_login_is_in_order(installation: Database) -> None:
    async with installation.connection("payledger_service") as con:
        assert await check(con) == NOT_DURABLE


async def test_a_login_that_is_no_service_is_not_judged(installation: Database) -> None:
    async with installation.connection("payledger_migrator") as con:
        assert await check(con) == NOT_DURABLE


@pytest.mark.parametrize(
    "setting",
    [
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "transaction_timeout",
    ],
)
async def test_each_timeout_is_missed(database: Database, setting: str) -> None:
    if setting == "transaction_timeout" and database.server.major < 17:
        pytest.skip("PostgreSQL 17 brought transaction_timeout")
    con = await database.connect("payledger_service", **{setting: "0"})
    assert await check(con) == NOT_DURABLE | {"timeout_missing payledger_service": 1}
    # What a session sets for itself is not what the login has.
    await con.execute(f"set {setting} = '7s'")
    assert await check(con) == NOT_DURABLE | {"timeout_missing payledger_service": 1}


async def test_a_login_with_powers_is_found(database: Database) -> None:
    admin = await database.connect("postgres")
    await admin.execute("alter role payledger_service createdb")
    try:
        con = await database.connect("payledger_service")
        assert await check(con) == NOT_DURABLE | {"login_too_powerful payledger_service": 1}
    finally:
        await admin.execute("alter role payledger_service nocreatedb")


@pytest.mark.parametrize("role", ["ledger_relay", "ledger_reader"])
async def test_who_has_no_business_with_it_may_not_ask(forger: Connection, role: str) -> None:
    await forger.execute(f"set local role {role}")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await check(forger)


@pytest.mark.parametrize("role", ["ledger_app", "ledger_auditor", "ledger_admin"])
async def test_services_auditors_and_administrators_may_ask(forger: Connection, role: str) -> None:
    await forger.execute(f"set local role {role}")
    assert await check(forger) == OF_TESTS


# -- the server ----------------------------------------------------------------------------------


async def become(database: Database, settings: dict[str, str | None]) -> Connection:
    """Changes the server's settings (None: back); a service's connection that has them."""
    admin = await database.connect("postgres")
    for name, value in settings.items():
        to = f"set {name} = {value}" if value else f"reset {name}"
        await admin.execute(f"alter system {to}")
    await admin.execute("select pg_reload_conf()")
    async with asyncio.timeout(20):
        while True:
            con = await database.connect("payledger_service")
            shown = {name: await con.fetchval(f"show {name}") for name in settings}
            if all(shown[name] == value for name, value in settings.items() if value):
                return con
            await asyncio.sleep(0.01)  # the server tells nobody when it has read them


async def test_a_durable_server_has_no_problem_and_each_unsafe_setting_is_one(
    database: Database,
) -> None:
    durable: dict[str, str | None] = {"fsync": "on", "full_page_writes": "on"}
    try:
        assert await check(await become(database, durable)) == {}
        for name in ("fsync", "full_page_writes", "synchronous_commit"):
            con = await become(database, durable | {name: "off"})
            assert await check(con) == {f"setting_unsafe {name}": 1}
            await become(database, {"synchronous_commit": "on"})
    finally:
        await become(database, dict.fromkeys([*durable, "synchronous_commit"]))


async def test_a_database_whose_sessions_fire_no_triggers_is_found(database: Database) -> None:
    admin = await database.connect("postgres")
    await admin.execute(f"alter database {database.name} set session_replication_role = replica")
    con = await database.connect("payledger_service")
    assert await check(con) == NOT_DURABLE | {"setting_unsafe session_replication_role": 1}
