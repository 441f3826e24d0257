"""Epochs of the feed: what a restore, a failover or a copy means to its readers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.feeds import ChangesReader, FeedReader, open_feed, raises
from support.payments import start
from support.waiting import wait_until_blocked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Database
    from support.feeds import Feed

# What the table says after a dump was restored on another cluster.
RESTORED = """
insert into ledger.feed_epochs (system_identifier, timeline, reason)
values (4711, '00000001', 'elsewhere')
"""


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[Feed]:
    async with open_feed(database.server, database.name) as feed:
        yield feed


async def start_epoch(feed: Feed) -> int:
    """By the login that runs migrations, an admin."""
    async with feed.books.database.connection("payledger_migrator") as admin:
        return int(await admin.fetchval("select ledger.start_epoch('a test')"))


async def test_the_beginning_is_the_first_payment(feed: Feed) -> None:
    reader = FeedReader(feed.reader.con)
    assert await reader.window() == []
    reader.cursor = None
    ids = [await feed.post(f"k{n}") for n in range(3)]
    assert await reader.window(2) == ids
    assert await FeedReader(feed.reader.con).window() == ids
    reader.assert_no_version_missing()


async def test_the_end_of_an_empty_feed_is_its_beginning(feed: Feed) -> None:
    await feed.reader.start_at_end()
    assert await feed.reader.window() == []
    payment = await feed.post("k")
    assert await feed.reader.window() == [payment]


async def test_a_new_epoch_ends_every_cursor_and_begins_empty(feed: Feed) -> None:
    await feed.post("old")
    await feed.reader.window()
    cursors = [feed.reader.cursor]
    for n in range(3):
        await feed.post(f"more-{n}")
    await feed.reader.page(1)
    cursors.append(feed.reader.cursor)
    assert await start_epoch(feed) == 2

    for cursor in cursors:
        async with raises("feed_epoch_ended"):
            await FeedReader(feed.reader.con, cursor).page()
    anew = FeedReader(feed.reader.con)
    assert await anew.window() == []
    new = [await feed.post(f"new-{n}") for n in range(3)]
    assert await anew.window(1) == new
    assert await FeedReader(feed.reader.con).window(2) == new


async def test_on_another_history_nothing_is_read_until_an_epoch_is_started(feed: Feed) -> None:
    await feed.post("before")
    await feed.reader.window()
    await feed.observer.execute(RESTORED)
    for read in ("ledger.read_feed()", "ledger.feed_end()"):
        async with raises("feed_history_changed") as raised:
            await feed.reader.con.fetch(f"select {read}")
        assert raised.detail["started_on_system_identifier"] == "4711"
    async with raises("feed_history_changed"):
        await feed.reader.page()
    await feed.post("unread")  # posting goes on

    assert await start_epoch(feed) == 3
    async with raises("feed_epoch_ended"):
        await feed.reader.page()
    after = await feed.post("after")
    assert await FeedReader(feed.reader.con).window() == [after]


@pytest.mark.parametrize("sweeping", [False, True], ids=["poll", "sweep"])
async def test_a_new_epoch_ends_the_cursor_of_what_is_told_of_accounts(
    feed: Feed, *, sweeping: bool
) -> None:
    reader = await ChangesReader(feed.reader.con, sweeping=sweeping).start_at_end()
    await feed.post("old")
    cursor = reader.cursor
    await feed.observer.execute(RESTORED)
    async with raises("feed_history_changed"):
        await reader.poll()
    async with raises("feed_history_changed"):
        await ChangesReader(feed.reader.con).poll()

    await start_epoch(feed)
    async with raises("feed_epoch_ended"):
        await reader.poll()
    assert reader.cursor == cursor
    anew = await ChangesReader(feed.reader.con, sweeping=sweeping).start_at_end()
    await feed.post("new")
    assert await anew.window() == {"a1 v2 -2", "a2 v2 2"}


async def test_transaction_ids_of_another_history_are_never_new(feed: Feed) -> None:
    """A restored dump has payments under ids that this cluster gives out only later."""
    await feed.observer.execute(
        "insert into ledger.payments"
        " (ledger_id, payment_id, posted_at, xid, feed_epoch, kind, metadata)"
        " select 1, ledger_private.new_payment_id(), clock_timestamp(), (x + n)::text::xid8, 1,"
        " 'payment', '{}'"
        " from generate_series(-50, 50) n, (select pg_current_xact_id()::text::bigint as x) now"
    )
    await start_epoch(feed)
    reader = FeedReader(feed.reader.con)
    assert await reader.window() == []
    ids = [await feed.post(f"k{n}") for n in range(60)]
    assert await reader.window(7) == ids


async def test_only_an_admin_starts_an_epoch_and_tells_why(feed: Feed) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await feed.writer.execute("select ledger.start_epoch('mine')")
    for reason in ("", None):
        with pytest.raises(asyncpg.PostgresError) as refused:
            await feed.observer.execute("select ledger.start_epoch($1)", reason)
        assert refused.value.sqlstate == "LG617"
    assert await feed.observer.fetchval("select count(*) from ledger.feed_epochs") == 1


async def test_an_epoch_starts_when_those_who_post_are_done(feed: Feed) -> None:
    """A payment of the old epoch that is committed later would be new to nobody."""
    late = await feed.books.connect()
    await feed.post("warm-up", "a5", "a6", by=late)
    admin = await feed.books.connect("payledger_migrator")
    async with feed.writer.transaction():
        await feed.post("running", by=feed.writer)
        started = start(admin.fetchval("select ledger.start_epoch('a test')"))
        await wait_until_blocked(feed.observer, admin, by=feed.writer)
        behind = start(feed.post("behind", "a3", "a4", by=late))
        await wait_until_blocked(feed.observer, late, by=admin)
    assert await started == 2
    posted = await behind  # the epoch's end lets it go on, which is not yet its commit
    assert await FeedReader(feed.reader.con).window() == [posted]


async def test_a_prepared_transaction_keeps_an_epoch_from_starting(feed: Feed) -> None:
    await feed.observer.execute("alter function ledger.start_epoch set lock_timeout = '20ms'")
    await feed.writer.execute("begin")
    await feed.post("prepared", by=feed.writer)
    await feed.writer.execute("prepare transaction 'prepared'")
    with pytest.raises(asyncpg.LockNotAvailableError):
        await start_epoch(feed)
    await feed.observer.execute("rollback prepared 'prepared'")
    assert await start_epoch(feed) == 2
