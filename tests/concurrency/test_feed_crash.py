"""The feed across kill -9 of the server, and on a standby."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.feeds import ChangesReader, FeedReader, open_feed, raises
from support.servers import Server, each_server, started_server
from support.standbys import standby_of

from service.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from support.databases import Connection
    from support.feeds import Feed

DROPPED = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


@pytest.fixture(scope="module", params=each_server())
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that may be killed. What is not flushed by a commit is lost then."""
    if request.param == "container":
        pytest.skip("only an embedded server is killed here")
    with started_server(request.param) as server:
        server.sql("alter system set wal_writer_delay = '10s'")
        server.sql("select pg_reload_conf()")
        yield server


@pytest.fixture
async def feed(own_server: Server) -> AsyncIterator[Feed]:
    async with open_feed(own_server, own_server.new_database()) as feed:
        yield feed


def embedded(server: Server) -> EmbeddedPostgres:
    assert isinstance(server.postgres, EmbeddedPostgres)
    return server.postgres


async def crash(feed: Feed, writing: Sequence[asyncio.Task[None]] = ()) -> None:
    """Kill the server, start it, connect anew; the reader keeps its cursor."""
    postgres = embedded(feed.books.database.server)
    postgres.kill()
    await asyncio.gather(*writing)
    await feed.books.database.close()
    postgres.start()
    feed.books.observer = await feed.books.connect("postgres")
    feed.writer = await feed.books.connect()
    feed.reader.con = await feed.books.connect()


async def roll_back_transactions(feed: Feed) -> int:
    """The last of some transaction ids that a crash now makes the server forget.

    A full page of the log would be written out at once: fill this one first if it is nearly full.
    """
    while await feed.observer.fetchval(
        "select (pg_current_wal_insert_lsn() - '0/0') % 8192 > 4096"
    ):
        await feed.observer.execute(
            "select pg_logical_emit_message(true, 'a test', repeat('x', 1000))"
        )
    for _ in range(20):
        transaction = feed.writer.transaction()
        await transaction.start()
        xid = await feed.writer.fetchval("select pg_current_xact_id()::text")
        await transaction.rollback()
    return int(xid)


async def assert_given_out_again(feed: Feed, rolled_back: int) -> None:
    """Without this, the test would show nothing."""
    async with feed.writer.transaction():
        xid = await feed.writer.fetchval("select pg_current_xact_id()::text")
    assert int(xid) < rolled_back - 10


async def test_ids_of_rolled_back_transactions_given_out_again_after_a_crash_are_read(
    feed: Feed,
) -> None:
    before = await feed.post("before")
    rolled_back = await roll_back_transactions(feed)
    assert await feed.reader.window() == [before]
    end = await FeedReader(feed.reader.con).start_at_end()
    await crash(feed)
    await assert_given_out_again(feed, rolled_back)
    after = await feed.post("after")
    assert await feed.reader.window() == [after]
    end.con = feed.reader.con
    assert await end.window() == [after]


async def test_a_crash_between_two_pages_loses_nothing(feed: Feed) -> None:
    before = [await feed.post(f"before-{n}") for n in range(3)]
    rolled_back = await roll_back_transactions(feed)
    assert await feed.reader.page(1) == (before[:1], True)
    await crash(feed)
    await assert_given_out_again(feed, rolled_back)
    async with feed.writer.transaction():
        late = await feed.post("late", by=feed.writer)
        early = await feed.post_aside("early")
        assert await feed.reader.window(1) == before[1:]
        assert await feed.reader.window(1) == [early]
    assert await feed.reader.window(1) == [late]
    assert await feed.reader.window() == []


async def test_what_was_running_at_a_crash_is_gone_and_what_was_prepared_is_not(feed: Feed) -> None:
    await feed.writer.execute("begin")
    prepared = await feed.post("prepared", by=feed.writer)
    await feed.writer.execute("prepare transaction 'prepared'")
    await feed.writer.execute("begin")
    await feed.post("running", "a5", "a6", by=feed.writer)
    before = await feed.post_aside("before")
    assert await feed.reader.window() == [before]
    await crash(feed)
    assert await feed.reader.window() == []
    again = await feed.post("running", "a5", "a6")
    assert await feed.reader.window() == [again]
    await feed.observer.execute("commit prepared 'prepared'")
    assert await feed.reader.window() == [prepared]
    assert await feed.reader.window() == []


async def post_until_killed(feed: Feed, con: Connection, name: str) -> None:
    """Commits and rollbacks, as fast as they go."""
    rng = random.Random(name)
    number = 0
    while True:
        number += 1
        try:
            transaction = con.transaction()
            await transaction.start()
            from_, to = rng.sample([f"a{n}" for n in range(1, 7)], 2)
            await feed.post(f"{name}-{number}", from_, to, by=con)
            await (transaction.commit() if rng.random() < 0.6 else transaction.rollback())
        except DROPPED:
            return


async def test_a_reader_goes_on_through_crashes_in_the_middle_of_the_load(feed: Feed) -> None:
    rng = random.Random(3)
    for round_ in range(2):
        writing = [
            asyncio.ensure_future(
                post_until_killed(feed, await feed.books.connect(), f"r{round_}w{n}")
            )
            for n in range(3)
        ]
        enough = len(feed.reader.ids) + 50
        while len(feed.reader.ids) < enough:
            await feed.reader.window(rng.choice([1, 2, 1000]))
        await feed.reader.page(1)
        await crash(feed, writing)
    await feed.reader.window()  # the one that the crash came into
    await feed.reader.window()
    rows = await feed.observer.fetch(
        "select payment_id::text from ledger.payments where ledger_id = $1", feed.books.id
    )
    feed.reader.assert_exactly_once({row["payment_id"] for row in rows})
    feed.reader.assert_no_version_missing()


# -- a standby -----------------------------------------------------------------------------------


@pytest.fixture
def standby(own_server: Server, feed: Feed) -> Iterator[EmbeddedPostgres]:
    """Made of the server by pg_basebackup, and following it."""
    with standby_of(embedded(own_server)) as postgres:
        yield postgres


async def test_a_standby_refuses_and_a_promoted_one_wants_a_new_epoch(
    feed: Feed, standby: EmbeddedPostgres
) -> None:
    await feed.post("before")
    await feed.reader.window()
    database = feed.books.database.name
    con = await asyncpg.connect(standby.dsn("payledger_service", database))
    admin = await asyncpg.connect(standby.dsn("payledger_migrator", database))
    there = FeedReader(con, feed.reader.cursor)
    changes = await ChangesReader(feed.reader.con).start_at_end()
    try:
        for cursor, sweeping in ((changes.cursor, False), (changes.cursor, True), (None, None)):
            async with raises("feed_on_standby"):
                await ChangesReader(con, cursor, sweeping=sweeping).poll()
        async with raises("feed_on_standby"):
            await there.page()
        async with raises("feed_on_standby"):
            await FeedReader(con).page()
        async with raises("feed_on_standby"):
            await con.fetchval("select ledger.feed_end()")
        async with raises("feed_on_standby"):
            await admin.fetchval("select ledger.start_epoch('too early')")

        standby.run_sql("select pg_promote()")
        async with raises("feed_history_changed") as raised:
            await there.page()
        assert raised.detail["timeline"] == "00000002"
        assert raised.detail["started_on_timeline"] == "00000001"
        assert await admin.fetchval("select ledger.start_epoch('failover')") > 1
        async with raises("feed_epoch_ended"):
            await there.page()
        there.cursor = None
        assert await there.window() == []
        result = await feed.books.pay(con, "after", "a1", "a2", 1)
        assert await there.window() == [str(result.payment_id)]
    finally:
        await con.close()
        await admin.close()
