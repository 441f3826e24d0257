"""The servers that the suite runs on, and what differs between their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support import servers

from service.embedded import list_postgres

if TYPE_CHECKING:
    from support.payments import Ledger
    from support.servers import Server


async def test_the_suite_runs_on_the_version_it_says(server: Server, ledger: Ledger) -> None:
    version = int(await ledger.observer.fetchval("show server_version_num"))
    assert version // 10000 == server.major
    assert server.label == "container" or server.label.endswith(str(server.major))


async def test_the_built_in_uuidv7_is_used_where_there_is_one(
    server: Server, ledger: Ledger
) -> None:
    sql = "select pg_get_functiondef('ledger_private.new_payment_id'::regproc)"
    definition = await ledger.observer.fetchval(sql)
    assert ("uuidv7()" in definition) is (server.major >= 18)


async def test_payment_ids_go_up_with_time(ledger: Ledger) -> None:
    """To the millisecond; within one, only where the server counts them up."""
    await ledger.open("alice", 500)
    await ledger.open("bob")
    con = await ledger.connect()
    ids = [str((await ledger.pay(con, f"k{n}", "alice", "bob", 1)).payment_id) for n in range(50)]
    milliseconds = [id_[:13] for id_ in ids]
    assert milliseconds == sorted(milliseconds)
    assert len(set(milliseconds)) > 1


async def test_the_service_s_login_has_its_time_limits(server: Server, ledger: Ledger) -> None:
    con = await ledger.connect()
    limits = ["statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]
    if server.major >= 17:
        limits.append("transaction_timeout")
    for limit in limits:
        assert await con.fetchval(f"show {limit}") != "0", limit


async def test_the_owner_roles_can_be_taken_by_nobody_but_the_migrator(
    server: Server, ledger: Ledger
) -> None:
    sql = """
        select count(*)
        from pg_roles r, unnest(array['owner', 'writer', 'purger', 'lookup']) o
        where r.rolcanlogin and not r.rolsuper and r.rolname not like 'attacker%'
        and r.rolname <> 'payledger_migrator'
        and pg_has_role(r.oid, ('ledger_' || o)::regrole, 'member')
    """
    assert await ledger.observer.fetchval(sql) == 0


def test_an_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYLEDGER_TEST_BACKEND", "docker")
    with pytest.raises(pytest.UsageError, match="PAYLEDGER_TEST_BACKEND"):
        servers.each_server()


def test_a_machine_without_an_older_server_says_what_it_skips(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PAYLEDGER_TEST_BACKEND", raising=False)
    newest = [server for server in list_postgres() if server.major >= 18]
    monkeypatch.setattr(servers, "list_postgres", lambda: newest)
    (skipped,) = [parameter for parameter in servers.each_server() if parameter.id == "older"]
    (mark,) = skipped.marks
    assert "no PostgreSQL 15" in mark.kwargs["reason"]
