"""The relay when its server is restarted, is a standby, or can take no more messages."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.databases import Database
from support.relays import hearing, relaying, until_leading
from support.servers import Server, each_server, started_server
from support.standbys import standby_of
from support.waiting import until

from service.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.databases import Connection

NOT_YET = "has not connected yet"
ACCOUNTS = (
    "select ledger.create_account('world', 'USD', p_min_balance => null),"
    " ledger.create_account('a', 'USD')"
)


@pytest.fixture(scope="module", params=each_server())
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that may be stopped."""
    if request.param == "container":
        pytest.skip("only an embedded server is stopped here")
    with started_server(request.param) as server:
        yield server


@pytest.fixture
async def database(own_server: Server) -> AsyncIterator[Database]:
    database = Database(own_server, own_server.new_database())
    database.sql(ACCOUNTS)
    yield database
    await database.close()


def embedded(server: Server) -> EmbeddedPostgres:
    assert isinstance(server.postgres, EmbeddedPostgres)
    return server.postgres


def pay(database: Database, key: str) -> None:
    assert (
        database.sql(f"select outcome from ledger.post_payment('{key}', 'world', 'a', 1, 'USD')")
        == "posted"
    )


async def send_for_ever(con: Connection) -> None:
    """Messages that fill a page of the queue each."""
    while True:
        await con.execute("select pg_notify('other', repeat('x', 7900))")


@pytest.mark.parametrize("how", ["stopped", "killed"])
async def test_after_a_restart_it_leads_again_and_the_epoch_is_another(
    database: Database, how: str
) -> None:
    postgres = embedded(database.server)
    async with hearing(database.dsn()) as ear, relaying(database.dsn()) as relay:
        await until_leading(relay)
        await ear.until_live()
        epoch, era = ear.trust.epoch, ear.trust.era
        await asyncio.to_thread(postgres.kill if how == "killed" else postgres.stop)
        await until(lambda: not ear.listener.is_listening, "the listener notices")
        await until(lambda: not relay.is_leading, "the relay notices")
        assert not ear.is_live
        await asyncio.to_thread(postgres.start)
        await until_leading(relay)
        await until(lambda: ear.trust.era > era, "another era")
        assert ear.trust.epoch not in (None, epoch)
        pay(database, f"after-{how}")
        await ear.until_heard("a", 1)


@pytest.fixture
def standby(database: Database) -> Iterator[EmbeddedPostgres]:
    with standby_of(embedded(database.server)) as standby:
        yield standby


async def test_a_standby_has_no_relay_and_no_epoch_until_it_is_promoted(
    database: Database, standby: EmbeddedPostgres
) -> None:
    dsn = standby.dsn("payledger_service", database.name)
    epoch = database.sql("select ledger.cache_epoch()")
    assert standby.run_sql("select ledger.cache_epoch()", database=database.name) == ""
    async with relaying(dsn) as relay, hearing(dsn) as ear:
        await until(lambda: relay.problem == "feed_on_standby", "the relay's reason")
        await until(lambda: ear.listener.problem != NOT_YET, "the listener's reason")
        assert not ear.listener.is_listening

        standby.run_sql("select pg_promote()")
        await until(lambda: relay.problem == "feed_history_changed", "it wants an epoch")
        await until(lambda: ear.listener.is_listening, "the listener listens")
        assert not ear.is_live
        promoted = standby.run_sql("select ledger.cache_epoch()", database=database.name)
        assert promoted not in ("", epoch)
        assert ear.trust.epoch == promoted

        standby.run_sql("select ledger.start_epoch('promoted')", database=database.name)
        await until_leading(relay)
        await ear.until_live()
    assert database.sql("select ledger.cache_epoch()") == epoch, "the old primary's stays"


async def test_when_the_queue_is_full_nothing_is_told_and_payments_go_on(
    database: Database,
) -> None:
    if database.server.major < 17:
        pytest.skip("PostgreSQL 17 brought max_notify_queue_pages; before, the queue has 8 GB")
    postgres = embedded(database.server)
    database.sql("alter system set max_notify_queue_pages = 64")
    await asyncio.to_thread(postgres.stop)
    await asyncio.to_thread(postgres.start)
    keeper = await database.connect("payledger_migrator")
    filler = await database.connect("payledger_migrator")
    async with hearing(database.dsn()) as ear, relaying(database.dsn()) as relay:
        await until_leading(relay)
        await ear.until_live()
        await keeper.execute("listen something")
        await keeper.execute("begin; select 1")
        with pytest.raises(asyncpg.ProgramLimitExceededError):
            await send_for_ever(filler)
        pay(database, "k1")
        await ear.until_suspect()
        # Again and again: whenever it leads once more, and before it tells, it has no problem.
        await until(lambda: relay.counters.relay_failures > 0, "the relay notices")
        await until(lambda: relay.problem is not None, "and says so")
        pay(database, "k2")
        await keeper.execute("rollback; unlisten *")
        await ear.until_live()
        pay(database, "k3")
        await ear.until_heard("a", 3)
    database.sql("alter system reset max_notify_queue_pages")
