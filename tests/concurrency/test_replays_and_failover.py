"""A replay that was acknowledged survives a failover: it writes WAL that its commit waits for.

The first call is cut off while it waits for the standby; the payment is committed here and nowhere
else. Then its accounts are busy, so that the retry locks nothing and would wait for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import signal
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.databases import Database
from support.payments import Ledger, item, start
from support.servers import Server, each_server, started_server
from support.standbys import standby_of
from support.waiting import wait_until_true

from service.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.databases import Connection

WITHOUT_THE_RECORD = """
create or replace function ledger_private.replayed_outcome(
  p_ledger_id int, p_idem_key text, p_fingerprint bytea
)
returns ledger.payment_result
language sql
as $$ select ledger_private.stored_outcome(p_ledger_id, p_idem_key, p_fingerprint) $$
"""
AWAITED = "select sync_state = 'sync' from pg_stat_replication"
WAITS = "select wait_event = 'SyncRep' from pg_stat_activity where pid = $1"


@pytest.fixture(params=each_server())
def doomed(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that the test kills."""
    if request.param == "container":
        pytest.skip("only an embedded server is killed here")
    with started_server(request.param) as server:
        yield server


@pytest.fixture
async def books(doomed: Server) -> AsyncIterator[Ledger]:
    database = Database(doomed, doomed.new_database())
    observer = await database.connect("postgres")
    name = f"test-{secrets.token_hex(8)}"
    ledger_id = await observer.fetchval("select ledger_id from ledger.create_ledger($1)", name)
    yield Ledger(database, observer, ledger_id)
    await database.close()


async def receiver_of(standby: EmbeddedPostgres) -> int:
    con = await asyncpg.connect(standby.dsn("postgres", "postgres"))
    try:
        pid = await con.fetchval(
            "select pid from pg_stat_activity where backend_type = 'walreceiver'"
        )
    finally:
        await con.close()
    return int(pid)


async def cut_off_while_it_waits(books: Ledger) -> None:
    first = await books.connect()
    paying = start(books.pay(first, "k", "alice", "bob", 7))
    await wait_until_true(books.observer, WAITS, first.get_server_pid())
    await books.observer.fetchval("select pg_cancel_backend($1)", first.get_server_pid())
    assert not (await paying).replayed  # with a warning: committed here alone


async def hold_the_accounts(books: Ledger) -> Connection:
    stranger = await books.connect()
    await stranger.execute("begin")
    await books.pay(stranger, "other", "alice", "bob", 1)
    return stranger


async def is_there(standby: EmbeddedPostgres, books: Ledger) -> bool:
    """Ask the standby, which is the primary now."""
    con = await asyncpg.connect(standby.dsn("postgres", books.database.name))
    try:
        return bool(
            await con.fetchval(
                "select exists(select from ledger.idempotency_keys"
                " where ledger_id = $1 and key = 'k')",
                books.id,
            )
        )
    finally:
        await con.close()


@pytest.mark.parametrize("recorded", [True, False], ids=["with the record", "without it"])
async def test_an_acknowledged_replay_is_kept_in_a_failover(
    recorded: bool, doomed: Server, books: Ledger
) -> None:
    assert isinstance(doomed.postgres, EmbeddedPostgres)
    await books.open("alice", 500)
    await books.open("bob")
    if not recorded:
        await books.observer.execute(WITHOUT_THE_RECORD)
    with standby_of(doomed.postgres) as standby:
        await books.observer.execute("alter system set synchronous_standby_names = '*'")
        await books.observer.execute("select pg_reload_conf()")
        await wait_until_true(books.observer, AWAITED)
        receiver = await receiver_of(standby)
        os.kill(receiver, signal.SIGSTOP)
        try:
            await cut_off_while_it_waits(books)
            await hold_the_accounts(books)
            retry = await books.connect()
            replay = start(books.pay_many(retry, [item("k", "alice", "bob", 7)], wait=False))
            if recorded:
                await wait_until_true(books.observer, WAITS, retry.get_server_pid())
                assert not replay.done()  # not before the standby has it
                os.kill(receiver, signal.SIGCONT)
            assert (await replay)[0].replayed  # acknowledged
            doomed.postgres.kill()
        finally:
            # What waits in its socket must not come after all: it hears of its end first.
            with contextlib.suppress(ProcessLookupError):
                os.kill(receiver, signal.SIGTERM)
                os.kill(receiver, signal.SIGCONT)
        await asyncio.to_thread(standby.run_sql, "select pg_promote()")
        assert await is_there(standby, books) == recorded
