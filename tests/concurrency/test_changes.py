"""What the relay is told of accounts while others post: the newest, when it commits, and no less.

Each test is run with polls that find the window simple, and with sweeps: they read by other code.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.feeds import ChangesReader, in_short, open_feed, raises

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection, Database
    from support.feeds import Feed
    from support.servers import Server

ASIDE_1 = {"a3 v1 -1", "a4 v1 1"}
LATE_1 = {"a1 v1 -1", "a2 v1 1"}
WRITERS = 3
TRANSACTIONS = 20  # of each writer
CALLS = """
select coalesce(sum(calls), 0)::int
from pg_stat_xact_user_functions
where schemaname = 'ledger_private'
  and funcname = 'changes_in_window'
"""


@pytest.fixture
async def feed(server: Server, shared_database: str) -> AsyncIterator[Feed]:
    async with open_feed(server, shared_database) as feed:
        yield feed


@pytest.fixture(params=[False, True], ids=["poll", "sweep"])
async def reader(feed: Feed, request: pytest.FixtureRequest) -> ChangesReader:
    return await ChangesReader(feed.reader.con, sweeping=request.param).start_at_end()


# -- what is new ---------------------------------------------------------------------------------


async def test_a_payment_is_told_once_as_what_it_made_of_both_accounts(
    feed: Feed, reader: ChangesReader
) -> None:
    await feed.books.pay(feed.writer, "k", "a1", "a2", 70)
    payments, changes, has_more = await reader.poll()
    assert (payments, has_more) == (1, False)
    assert sorted(changes) == [
        [feed.books.id, ["a1", 1, "USD", "-70", "0"]],
        [feed.books.id, ["a2", 1, "USD", "70", "0"]],
    ]
    assert await reader.poll() == (0, [], False)


async def test_of_several_payments_each_account_is_told_once_with_its_newest_entry(
    feed: Feed, reader: ChangesReader
) -> None:
    await feed.post("k1", "a1", "a2")
    async with feed.writer.transaction():
        await feed.post("k2", "a2", "a3", by=feed.writer)
        await feed.post("k3", "a2", "a3", by=feed.writer)
    payments, changes, _ = await reader.poll()
    assert payments == 3
    assert in_short(changes) == {"a1 v1 -1", "a2 v3 -1", "a3 v2 2"}
    await reader.assert_current(feed)


async def test_a_simple_window_is_found_out_by_one_statement(
    feed: Feed, reader: ChangesReader
) -> None:
    """Or this file would test but one of the two ways."""
    superuser = await feed.books.connect("postgres", track_functions="pl")
    for n in range(3):
        await feed.post(f"k{n}")
        async with superuser.transaction():
            before = await superuser.fetchval(CALLS)
            assert (await reader.poll(con=superuser))[0] == 1
            calls = await superuser.fetchval(CALLS) - before
        assert calls == (1 if reader.sweeping else 0)


async def test_a_transaction_that_commits_late_is_told_then_and_holds_up_nobody(
    feed: Feed, reader: ChangesReader
) -> None:
    async with feed.writer.transaction():
        await feed.post("late", by=feed.writer)
        await feed.post_aside("early")
        assert await reader.window() == ASIDE_1
        assert await reader.window() == set()
    assert await reader.window() == LATE_1
    assert await reader.window() == set()


async def test_the_newest_transaction_can_be_the_one_that_commits_late(
    feed: Feed, reader: ChangesReader
) -> None:
    await feed.post_aside("early")
    async with feed.writer.transaction():
        await feed.post("late", by=feed.writer)
        assert await reader.window() == ASIDE_1
    assert await reader.window() == LATE_1
    assert await reader.window() == set()


async def test_what_was_rolled_back_is_never_told(feed: Feed, reader: ChangesReader) -> None:
    transaction = feed.writer.transaction()
    await transaction.start()
    await feed.post("gone", by=feed.writer)
    assert await reader.window() == set()
    await transaction.rollback()
    assert await reader.window() == set()
    await feed.post("later")
    assert await reader.window() == LATE_1


async def test_of_a_transaction_with_savepoints_what_was_kept_is_told(
    feed: Feed, reader: ChangesReader
) -> None:
    await feed.writer.execute("begin; savepoint one")
    await feed.post("in-a-savepoint", by=feed.writer)
    await feed.writer.execute("savepoint two")
    await feed.post("rolled-back", "a5", "a6", by=feed.writer)
    await feed.writer.execute("rollback to two")
    await feed.post("after-the-rollback", by=feed.writer)
    await feed.post_aside("aside")
    assert await reader.window() == ASIDE_1
    await feed.writer.execute("commit")
    assert await reader.window() == {"a1 v2 -2", "a2 v2 2"}
    assert await reader.window() == set()


async def test_a_prepared_transaction_is_told_when_it_is_committed(
    feed: Feed, reader: ChangesReader
) -> None:
    await feed.writer.execute("begin")
    await feed.post("late", by=feed.writer)
    await feed.writer.execute("prepare transaction 'late'")
    assert await reader.window() == set()
    await feed.post_aside("early")
    assert await reader.window() == ASIDE_1
    await feed.observer.execute("commit prepared 'late'")
    assert await reader.window() == LATE_1
    assert await reader.window() == set()


async def test_an_account_s_next_payment_may_be_told_before_one_that_waited_to_commit(
    feed: Feed, reader: ChangesReader
) -> None:
    """A transaction with two payments ends later than one that began later: each is told."""
    async with feed.writer.transaction():
        await feed.post("k1", by=feed.writer)
        for n in range(3):
            await feed.post_aside(f"aside-{n}")
            await reader.window()
        await feed.post("k2", by=feed.writer)
    await feed.post("k3")
    assert await reader.window() == {"a1 v3 -3", "a2 v3 3"}
    await reader.assert_current(feed)


# -- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_one", [True, False], ids=["one transaction", "several"])
async def test_more_than_a_page_is_told_in_pages(
    feed: Feed, reader: ChangesReader, *, is_one: bool
) -> None:
    if is_one:
        await feed.writer.execute("begin")
    for n in range(8):
        await feed.post(f"k{n}", f"a{n % 4 + 1}", f"a{n % 3 + 5}", by=feed.writer)
    if is_one:
        await feed.writer.execute("commit")
    pages = [await reader.poll(3) for _ in range(3)]
    assert [(payments, has_more) for payments, _, has_more in pages] == [
        (3, True),
        (3, True),
        (2, False),
    ]
    await reader.assert_current(feed)
    assert await reader.poll(3) == (0, [], False)


async def test_a_page_of_exactly_the_limit_is_the_last_one(
    feed: Feed, reader: ChangesReader
) -> None:
    for n in range(3):
        await feed.post(f"k{n}")
    payments, changes, has_more = await reader.poll(3)
    assert (payments, in_short(changes), has_more) == (3, {"a1 v3 -3", "a2 v3 3"}, False)
    assert await reader.poll(3) == (0, [], False)


async def test_what_commits_between_the_pages_of_a_window_is_told_after_them(
    feed: Feed, reader: ChangesReader
) -> None:
    async with feed.writer.transaction():
        await feed.post("running", "a5", "a6", by=feed.writer)
        for n in range(4):
            await feed.post(f"k{n}")
        assert (await reader.poll(2))[::2] == (2, True)
        await feed.post_aside("newer")
    payments, changes, has_more = await reader.poll(2)
    assert (payments, in_short(changes), has_more) == (2, {"a1 v4 -4", "a2 v4 4"}, False)
    assert await reader.window(2) == ASIDE_1 | {"a5 v1 -1", "a6 v1 1"}
    await reader.assert_current(feed)


async def test_what_was_set_on_accounts_is_told_once_between_the_pages_of_a_window(
    feed: Feed, reader: ChangesReader
) -> None:
    for n in range(5):
        await feed.post(f"k{n}")
    await set_limits(feed, "a7")
    told = [in_short((await reader.poll(2))[1])]
    await set_limits(feed, "a8")
    for has_more in (True, False):
        _, changes, more = await reader.poll(2)
        assert more is has_more
        told.append(in_short(changes))
    told.append(await reader.window(2))
    silent = [{line for line in page if line[:2] in ("a7", "a8")} for page in told]
    assert silent == [{"a7 v0 0"}, {"a8 v0 0"}, set(), set()]
    await reader.assert_current(feed)


# -- accounts ------------------------------------------------------------------------------------


async def set_limits(feed: Feed, account: str) -> None:
    await feed.observer.execute(
        "select ledger.set_account_limits($1, null, 1000, $2)", account, feed.books.id
    )


async def test_a_new_account_and_new_limits_are_told_once(
    feed: Feed, reader: ChangesReader
) -> None:
    await feed.books.open("new")
    assert await reader.window() >= {"new v0 0"}
    assert await reader.window() == set()
    await feed.post("k")
    assert await reader.window() == LATE_1
    await set_limits(feed, "a1")
    assert await reader.window() == {"a1 v1 None"}
    assert await reader.window() == set()


async def test_limits_that_are_committed_late_are_told_then(
    feed: Feed, reader: ChangesReader
) -> None:
    superuser = await feed.books.connect("postgres")
    async with superuser.transaction():
        await superuser.execute(
            "select ledger.set_account_limits('a5', null, 1000, $1)", feed.books.id
        )
        await feed.post("k")
        await set_limits(feed, "a6")
        assert await reader.window() == LATE_1 | {"a6 v0 0"}
        await feed.post_aside("aside")
        assert await reader.window() == ASIDE_1
    assert await reader.window() == {"a5 v0 0"}
    assert await reader.window() == set()


# -- callers and cursors -------------------------------------------------------------------------


async def test_a_reader_with_an_older_snapshot_gets_the_cursor_back_as_it_was(
    feed: Feed, reader: ChangesReader
) -> None:
    old = await feed.books.connect()
    async with feed.writer.transaction():
        await feed.post("late", by=feed.writer)
        await feed.post_aside("early")
        await old.execute("begin isolation level repeatable read; select 1")
    assert await reader.window() == LATE_1 | ASIDE_1
    place = await reader.place()
    assert await reader.poll(con=old) == (0, [], False)
    assert await reader.place() == place

    for n in range(3):
        await feed.post_aside(f"later-{n}")
    assert (await reader.poll(1))[::2] == (1, True)
    place = await reader.place()
    assert await reader.poll(con=old) == (0, [], False)  # it does not see the window's payments
    assert await reader.place() == place
    assert (await reader.poll(1))[::2] == (1, True)
    assert await reader.window() == {"a3 v4 -4", "a4 v4 4"}


async def test_a_repeatable_read_reader_is_told_what_its_snapshot_shows(
    feed: Feed, reader: ChangesReader
) -> None:
    async with feed.writer.transaction():
        await feed.post("late", by=feed.writer)
        await feed.post_aside("early")
        async with reader.con.transaction(isolation="repeatable_read", readonly=True):
            assert await reader.window() == ASIDE_1
            await feed.post_aside("later")
            assert await reader.window() == set()
    assert await reader.window() == LATE_1 | {"a3 v2 -2", "a4 v2 2"}


@pytest.mark.parametrize("limit", [0, 5001, None])
async def test_a_page_has_up_to_5000_payments(
    feed: Feed, reader: ChangesReader, limit: int | None
) -> None:
    assert await reader.poll(5000) == (0, [], False)
    async with raises("limit_out_of_range"):
        await reader.poll(limit)
    assert await reader.poll() == (0, [], False)


async def test_a_transaction_that_has_written_is_refused(feed: Feed, reader: ChangesReader) -> None:
    con = reader.con
    async with con.transaction():
        assert await reader.window() == set()  # before it writes it may
        await feed.post("own", by=con)
        async with raises("feed_in_transaction"), con.transaction():
            await reader.window()
        async with raises("feed_in_transaction"), con.transaction():
            await ChangesReader(con).poll()
    assert await reader.window() == LATE_1


async def test_a_cursor_ahead_of_the_database_is_refused(feed: Feed, reader: ChangesReader) -> None:
    ahead = await feed.observer.fetchval(
        "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint + 1000000"
    )
    reader.cursor = await feed.observer.fetchval(
        "select row(c.epoch, c.feed_epoch, $2::text::pg_snapshot, c.low, c.high, c.swept,"
        " c.swept_at, c.accounts, c.page)::ledger.changes_cursor::text"
        " from (select ($1::text::ledger.changes_cursor).*) c",
        reader.cursor,
        f"{ahead}:{ahead}:",
    )
    async with raises("feed_cursor_ahead"):
        await reader.poll()


# -- everything at once --------------------------------------------------------------------------


@dataclass
class Writer:
    """Posts in transactions of several shapes, and counts what it committed.

    It opens no accounts, as the one of test_feed_random does: then no window would be simple.
    """

    feed: Feed
    con: Connection
    name: str
    rng: random.Random
    committed: int = 0
    posted: int = 0

    async def run(self) -> None:
        for _ in range(TRANSACTIONS):
            # It may have met a deadlock with another writer: nothing was committed then.
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                await self.transaction(self.rng.randint(1, 6), keep=self.rng.random() < 0.8)

    async def transaction(self, payments: int, *, keep: bool) -> None:
        transaction = self.con.transaction()
        await transaction.start()
        try:
            for _ in range(payments):
                self.posted += 1
                from_, to = self.rng.sample([f"a{n}" for n in range(1, 8)], 2)
                await self.feed.post(f"{self.name}-{self.posted}", from_, to, by=self.con)
        except asyncpg.DeadlockDetectedError:
            await transaction.rollback()
            raise
        if keep:
            await transaction.commit()
            self.committed += payments
        else:
            await transaction.rollback()


@pytest.mark.parametrize("seed", [1, 2])
async def test_in_the_end_of_every_account_the_newest_was_told(feed: Feed, seed: int) -> None:
    rng = random.Random(seed)
    reader = await ChangesReader(feed.reader.con).start_at_end()
    writers = [
        Writer(feed, await feed.books.connect(), f"w{n}", random.Random(rng.random()))
        for n in range(WRITERS)
    ]
    late = await feed.books.connect()
    await late.execute("begin")
    await feed.post("late", "a8", "a7", by=late)  # a7: others wait for it
    writing = asyncio.gather(*(writer.run() for writer in writers))
    polls = 0
    while not writing.done():
        reader.sweeping = rng.choice([False, False, False, True, None])
        await reader.poll(rng.choice([1, 2, 5, 1000]))
        polls += 1
        if polls == 20:
            await late.execute("commit")
    await writing
    for sweeping in (False, True):
        reader.sweeping = sweeping
        await reader.window(rng.randint(1, 5))
    assert reader.payments == sum(writer.committed for writer in writers) + 1
    await reader.assert_current(feed)
    assert polls > 20


PAYMENTS_READ = """
select coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0)::int
from pg_partition_tree('ledger.payments') p
join pg_index i on i.indrelid = p.relid
"""
POST_MANY = """
select count(*)
from generate_series(1, 20) batch
cross join lateral ledger.post_payments(
  (
    select jsonb_agg(
      jsonb_build_object(
        'idempotency_key', concat_ws('-', batch, n), 'from', 'a', 'to', 'b', 'amount', '1',
        'currency', 'USD'
      )
    )
    from generate_series(1, 1000) n
  )
)
"""


@pytest.mark.parametrize("analyzed", [False, True])
async def test_a_poll_looks_at_new_payments_only(database: Database, *, analyzed: bool) -> None:
    """Not at all those of the hour, whatever the planner believes to know of them."""
    con = await database.connect("postgres")
    await con.execute(
        "select ledger.create_account('a', 'USD', p_min_balance => null);"
        "select ledger.create_account('b', 'USD')"
    )
    await con.execute(POST_MANY)
    if analyzed:
        await con.execute("analyze")
    others = [await database.connect("postgres") for _ in range(3)]
    for number, other in enumerate(others):
        await other.execute("begin")
        await other.execute(f"select ledger.create_account('c{number}', 'USD')")
    reader = await ChangesReader(await database.connect("postgres"), sweeping=False).start_at_end()
    await con.execute("select ledger.post_payment('new', 'a', 'b', 1, 'USD')")
    async with reader.con.transaction(readonly=True):
        before = await reader.con.fetchval(PAYMENTS_READ)
        assert (await reader.poll())[0] == 1
        assert await reader.con.fetchval(PAYMENTS_READ) - before == 1
    for other in others:
        await other.execute("rollback")
