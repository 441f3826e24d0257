"""The feed under everything at once: each committed payment exactly once, no version missing."""

from __future__ import annotations

import asyncio
import contextlib
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.feeds import open_feed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection
    from support.feeds import Feed
    from support.servers import Server

WRITERS = 4
TRANSACTIONS = 25  # of each writer


@pytest.fixture
async def feed(server: Server, shared_database: str) -> AsyncIterator[Feed]:
    async with open_feed(server, shared_database) as feed:
        yield feed


@dataclass
class Writer:
    """Posts in transactions of every shape, and knows what it committed."""

    feed: Feed
    con: Connection
    name: str
    rng: random.Random
    committed: set[str] = field(default_factory=set)
    prepared: dict[str, set[str]] = field(default_factory=dict)
    posted: int = 0

    async def run(self) -> None:
        shapes = [self.one, self.several, self.rolled_back, self.savepoints, self.prepare]
        for _ in range(TRANSACTIONS):
            # It may have met a deadlock with another writer: nothing was committed then.
            with contextlib.suppress(asyncpg.DeadlockDetectedError):
                await self.rng.choice(shapes)()
            if self.prepared and self.rng.random() < 0.3:
                await self.finish(self.rng.choice(list(self.prepared)))
        for name in list(self.prepared):
            await self.finish(name)

    async def post(self, *, own: bool = False) -> str:
        """A payment between accounts that all share, or between two that nobody else has."""
        self.posted += 1
        key = f"{self.name}-{self.posted}"
        from_, to = self.rng.sample([f"a{n}" for n in range(1, 7)], 2)
        if own:
            from_, to = f"{key}-from", f"{key}-to"
            for account in (from_, to):
                await self.feed.books.open(account, minimum=None)
        return await self.feed.post(key, from_, to, by=self.con)

    async def one(self) -> None:
        self.committed.add(await self.post())

    async def several(self) -> None:
        async with self.con.transaction():
            ids = {await self.post() for _ in range(2)}
        self.committed |= ids

    async def rolled_back(self) -> None:
        transaction = self.con.transaction()
        await transaction.start()
        try:
            await self.post()
        finally:
            await transaction.rollback()

    async def savepoints(self) -> None:
        ids = set()
        async with self.con.transaction():
            for _ in range(3):
                savepoint = self.con.transaction()
                await savepoint.start()
                payment = await self.post(own=True)
                if self.rng.random() < 0.5:
                    await savepoint.rollback()
                else:
                    await savepoint.commit()
                    ids.add(payment)
        self.committed |= ids

    async def prepare(self) -> None:
        name = f"{self.name}-{self.posted}"
        await self.con.execute("begin")
        ids = {await self.post(own=True) for _ in range(self.rng.randint(1, 3))}
        await self.con.execute(f"prepare transaction '{name}'")
        self.prepared[name] = ids

    async def finish(self, name: str) -> None:
        ids = self.prepared.pop(name)
        if self.rng.random() < 0.7:
            await self.con.execute(f"commit prepared '{name}'")
            self.committed |= ids
        else:
            await self.con.execute(f"rollback prepared '{name}'")


async def waste_transaction_ids(con: Connection, rng: random.Random, done: asyncio.Event) -> None:
    """In another database: long ones and short ones, committed or not."""
    while not done.is_set():
        transaction = con.transaction()
        await transaction.start()
        await con.execute("select pg_current_xact_id()")
        for _ in range(rng.randrange(10)):
            await con.execute("select 1")
        await (transaction.commit() if rng.random() < 0.5 else transaction.rollback())


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_every_committed_payment_is_read_exactly_once(feed: Feed, seed: int) -> None:
    rng = random.Random(seed)
    writers = [
        Writer(feed, await feed.books.connect(), f"w{n}", random.Random(rng.random()))
        for n in range(WRITERS)
    ]
    opener = asyncio.Lock()
    open_account = feed.books.open

    async def open_one_by_one(code: str, balance: int = 0, *, minimum: int | None = 0) -> None:
        async with opener:  # they share the observer's connection
            await open_account(code, balance, minimum=minimum)

    feed.books.open = open_one_by_one  # type: ignore[method-assign]
    elsewhere = await asyncpg.connect(feed.books.database.server.dsn("postgres", "postgres"))
    done = asyncio.Event()
    wasting = asyncio.ensure_future(waste_transaction_ids(elsewhere, rng, done))
    writing = asyncio.gather(*(writer.run() for writer in writers))
    try:
        windows = 0
        while not writing.done():
            await read_a_window(feed, rng)
            windows += 1
            # What is visible to one snapshot has each account's versions up to some number.
            feed.reader.assert_no_version_missing()
        await writing
    finally:
        done.set()
        await wasting
        await elsewhere.close()
    await feed.reader.window(rng.randint(1, 5))
    committed = set().union(*(writer.committed for writer in writers))
    feed.reader.assert_exactly_once(committed)
    feed.reader.assert_no_version_missing()
    assert windows > 10
    assert len(committed) > 2 * TRANSACTIONS


async def read_a_window(feed: Feed, rng: random.Random) -> None:
    """With pages of any size, sometimes all within one snapshot."""
    limit = rng.choice([1, 2, 3, 1000])
    if rng.random() < 0.3:
        async with feed.reader.con.transaction(isolation="repeatable_read"):
            await feed.reader.window(limit)
    else:
        await feed.reader.window(limit)
