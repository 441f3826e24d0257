"""What a reader of the change feed gets while others post: each payment, once, when it commits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.feeds import FeedReader, open_feed, raises

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.feeds import Feed
    from support.servers import Server


@pytest.fixture
async def feed(server: Server, shared_database: str) -> AsyncIterator[Feed]:
    async with open_feed(server, shared_database) as feed:
        yield feed


# -- what is new ---------------------------------------------------------------------------------


async def test_a_payment_is_read_once_with_its_entries(feed: Feed) -> None:
    posted = json.loads((await feed.books.pay(feed.writer, "k", "a1", "a2", 70)).body)
    assert await feed.reader.window() == [posted["payment_id"]]
    (read,) = feed.reader.payments
    xid = "select xid::text from ledger.payments where payment_id = $1"
    entry = {"currency": "USD", "version": 1, "held": "0"}
    accounts = [entry["account_id"] for entry in read["entries"]]
    assert read == {
        "ledger_id": feed.books.id,
        "payment_id": posted["payment_id"],
        "kind": "payment",
        "posted_at": posted["posted_at"],
        "xid": await feed.observer.fetchval(xid, posted["payment_id"]),
        "entries": [
            entry | {"account_id": accounts[0], "account": "a1", "amount": "-70", "balance": "-70"},
            entry | {"account_id": accounts[1], "account": "a2", "amount": "70", "balance": "70"},
        ],
    }
    assert await feed.reader.window() == []


async def test_several_postings_and_amounts_of_38_digits_come_as_they_were_posted(
    feed: Feed,
) -> None:
    large = "9" * 38
    postings = [
        {"from": "a1", "to": "a2", "amount": large, "currency": "USD"},
        {"from": "a2", "to": "a1", "amount": "1", "currency": "USD"},
    ]
    await feed.writer.execute(
        "select ledger.require_posted(ledger.post_compound_payment('k', $1, p_ledger_id => $2))",
        json.dumps(postings),
        feed.books.id,
    )
    await feed.reader.window()
    (payment,) = feed.reader.payments
    assert [(e["account"], e["version"], e["amount"]) for e in payment["entries"]] == [
        ("a1", 1, f"-{large}"),
        ("a2", 1, large),
        ("a2", 2, "-1"),
        ("a1", 2, "1"),
    ]
    feed.reader.assert_no_version_missing()


async def test_a_transaction_that_commits_late_is_read_then_and_holds_up_nobody(feed: Feed) -> None:
    async with feed.writer.transaction():
        late = await feed.post("late", by=feed.writer)
        early = await feed.post_aside("early")
        assert await feed.reader.window() == [early]
        assert await feed.reader.window() == []
    assert await feed.reader.window() == [late]
    assert await feed.reader.window() == []


async def test_the_newest_transaction_can_be_the_one_that_commits_late(feed: Feed) -> None:
    """A snapshot does not list a running transaction that began after the last one that ended."""
    early = await feed.post_aside("early")
    async with feed.writer.transaction():
        late = await feed.post("late", by=feed.writer)
        assert await feed.reader.window() == [early]
    assert await feed.reader.window() == [late]
    assert await feed.reader.window() == []


async def test_what_was_rolled_back_is_never_read(feed: Feed) -> None:
    transaction = feed.writer.transaction()
    await transaction.start()
    await feed.post("gone", by=feed.writer)
    assert await feed.reader.window() == []
    await transaction.rollback()
    later = await feed.post("later", by=feed.writer)
    assert await feed.reader.window() == [later]


async def test_of_a_transaction_with_savepoints_what_was_kept_is_read(feed: Feed) -> None:
    await feed.writer.execute("begin; savepoint one")
    kept = [await feed.post("in-a-savepoint", by=feed.writer)]
    await feed.writer.execute("savepoint two")
    await feed.post("rolled-back", by=feed.writer)
    await feed.writer.execute("rollback to two")
    kept.append(await feed.post("after-the-rollback", by=feed.writer))
    aside = await feed.post_aside("aside")
    assert await feed.reader.window() == [aside]
    await feed.writer.execute("commit")
    assert sorted(await feed.reader.window()) == sorted(kept)
    assert await feed.reader.window() == []
    feed.reader.assert_no_version_missing()


async def test_a_prepared_transaction_is_read_when_it_is_committed(feed: Feed) -> None:
    await feed.writer.execute("begin")
    late = await feed.post("late", by=feed.writer)
    await feed.writer.execute("prepare transaction 'late'")
    assert await feed.reader.window() == []
    early = await feed.post_aside("early")
    assert await feed.reader.window() == [early]
    await feed.observer.execute("commit prepared 'late'")
    assert await feed.reader.window() == [late]
    assert await feed.reader.window() == []


async def test_transactions_of_other_databases_are_no_hindrance(feed: Feed) -> None:
    elsewhere = await asyncpg.connect(feed.books.database.server.dsn("postgres", "postgres"))
    try:
        async with elsewhere.transaction():
            await elsewhere.execute("select pg_current_xact_id()")
            first = await feed.post("first")
            assert await feed.reader.window() == [first]
    finally:
        await elsewhere.close()
    second = await feed.post("second")
    assert await feed.reader.window() == [second]


async def test_a_refusal_and_a_replay_are_not_read(feed: Feed) -> None:
    await feed.books.open("poor")
    assert (await feed.books.pay(feed.writer, "refused", "poor", "a1", 1)).outcome == "rejected"
    posted = await feed.post("k")
    assert (await feed.books.pay(feed.writer, "k", "a1", "a2", 1)).replayed
    assert await feed.reader.window() == [posted]


# -- pages ---------------------------------------------------------------------------------------


async def test_what_commits_between_the_pages_of_a_window_belongs_to_the_next(feed: Feed) -> None:
    other = await feed.books.connect()
    async with feed.writer.transaction(), other.transaction():
        oldest = await feed.post("oldest", "a5", "a6", by=feed.writer)
        ids = [await feed.post(f"k{n}") for n in range(3)]
        middle = await feed.post("middle", "a7", "a8", by=other)
        ids += [await feed.post(f"k{n}") for n in range(3, 5)]
        assert await feed.reader.page(2) == (ids[:2], True)
        newest = await feed.post_aside("newest")
    assert await feed.reader.page(2) == (ids[2:4], True)
    assert await feed.reader.page(2) == (ids[4:], False)
    assert await feed.reader.window(2) == [oldest, middle, newest]
    assert await feed.reader.window() == []


async def test_pages_split_a_transaction_with_many_payments(feed: Feed) -> None:
    async with feed.writer.transaction():
        late = {await feed.post(f"late-{n}", by=feed.writer) for n in range(5)}
        early = await feed.post_aside("early")
        assert await feed.reader.window(2) == [early]
    assert len((await feed.reader.page(2))[0]) == 2
    async with feed.writer.transaction():
        more = {await feed.post(f"more-{n}", by=feed.writer) for n in range(5)}
    assert len(await feed.reader.window(2)) == 3
    await feed.reader.window(2)
    feed.reader.assert_exactly_once(late | more | {early})
    feed.reader.assert_no_version_missing()


async def test_a_page_of_exactly_the_limit_is_the_last_one(feed: Feed) -> None:
    ids = [await feed.post(f"k{n}") for n in range(3)]
    assert await feed.reader.page(3) == (ids, False)
    assert await feed.reader.page(3) == ([], False)


async def test_a_page_may_be_read_again_with_the_same_cursor(feed: Feed) -> None:
    ids = [await feed.post(f"k{n}") for n in range(4)]
    await feed.reader.page(2)
    cursor = feed.reader.cursor
    for _ in range(2):
        feed.reader.cursor = cursor
        assert await feed.reader.page(2) == (ids[2:], False)


# -- the end -------------------------------------------------------------------------------------


async def test_the_end_has_read_what_is_visible_and_nothing_else(feed: Feed) -> None:
    await feed.post("read")
    async with feed.writer.transaction():
        running = await feed.post("running", by=feed.writer)
        await feed.post_aside("read-too")
        await feed.reader.start_at_end()
        assert await feed.reader.window() == []
    later = await feed.post_aside("later")
    assert await feed.reader.window() == [running, later]


# -- callers in a transaction --------------------------------------------------------------------


async def test_a_repeatable_read_reader_reads_up_to_its_snapshot(feed: Feed) -> None:
    async with feed.writer.transaction():
        late = await feed.post("late", by=feed.writer)
        ids = [await feed.post_aside(f"k{n}") for n in range(3)]
        repeatable = feed.reader.con.transaction(isolation="repeatable_read", readonly=True)
        await repeatable.start()
        assert await feed.reader.window(2) == ids
    later = await feed.post_aside("later")
    assert await feed.reader.window() == []
    await repeatable.commit()
    assert await feed.reader.window() == [late, later]


async def test_a_cursor_newer_than_the_callers_snapshot_comes_back_as_it_was(feed: Feed) -> None:
    """To go on from it would give again what was running when the old snapshot was taken."""
    old = await feed.books.connect()
    running = await feed.books.connect()
    await running.execute("begin")
    last = await feed.post("last", "a5", "a6", by=running)
    async with feed.writer.transaction():
        late = await feed.post("late", by=feed.writer)
        early = await feed.post_aside("early")
        await old.execute("begin isolation level repeatable read; select 1")
    assert await feed.reader.window() == [late, early]
    cursor = feed.reader.cursor
    assert await feed.reader.page(con=old) == ([], False)
    assert feed.reader.cursor == cursor

    new = [await feed.post_aside(f"new-{n}") for n in range(3)]
    assert await feed.reader.page(1) == (new[:1], True)
    cursor = feed.reader.cursor
    assert await feed.reader.page(con=old) == ([], False)  # it does not see the window's payments
    assert feed.reader.cursor == cursor
    assert await feed.reader.window() == new[1:]
    await running.execute("commit")
    assert await feed.reader.window() == [last]
    assert await feed.reader.window() == []


async def test_a_transaction_that_has_written_cannot_read(feed: Feed) -> None:
    con = feed.reader.con
    async with con.transaction():
        assert await feed.reader.window() == []  # before it writes it may
        own = await feed.post("own", by=con)
        async with raises("feed_in_transaction"), con.transaction():
            await feed.reader.window()
        async with raises("feed_in_transaction"), con.transaction():
            await con.fetchval("select ledger.feed_end()")
    assert await feed.reader.window() == [own]


@pytest.mark.parametrize("limit", [0, -1, 1001, None])
async def test_a_limit_out_of_range_is_refused(feed: Feed, limit: int | None) -> None:
    async with raises("limit_out_of_range"):
        await feed.writer.fetch("select * from ledger.read_feed(null, $1)", limit)


async def test_readers_do_not_depend_on_each_other(feed: Feed) -> None:
    first = await feed.post("first")
    assert await feed.reader.window() == [first]
    other = await FeedReader(feed.writer).start_at_end()
    second = await feed.post("second")
    assert await other.window() == [second]
    third = await feed.post("third")
    assert await feed.reader.window() == [second, third]
    assert await other.window() == [third]
