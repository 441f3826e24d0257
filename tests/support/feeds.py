"""A reader of the change feed that notices what it must never see, and others who post."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from support.databases import Database
from support.payments import Ledger
from support.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection
    from support.servers import Server

ACCOUNTS = 8


@dataclass
class FeedReader:
    """Reads on from its cursor, page by page, and keeps what came."""

    con: Connection
    cursor: str | None = None
    payments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        """The payments read so far, in the order they came."""
        return [payment["payment_id"] for payment in self.payments]

    async def start_at_end(self) -> FeedReader:
        """As if everything visible now had been read."""
        self.cursor = await self.con.fetchval("select ledger.feed_end()")
        return self

    async def page(
        self, limit: int = 1000, con: Connection | None = None
    ) -> tuple[list[str], bool]:
        """The payment ids of one page, and whether there is more."""
        rows = await (con or self.con).fetch(
            "select * from ledger.read_feed($1, $2)", self.cursor, limit
        )
        assert len(rows) == 1
        self.cursor, has_more, text = rows[0]
        payments = json.loads(text)
        assert len(payments) == limit if has_more else len(payments) <= limit
        self.payments += payments
        return [payment["payment_id"] for payment in payments], has_more

    async def window(self, limit: int = 1000) -> list[str]:
        """All pages up to the end of the window."""
        ids, has_more = await self.page(limit)
        while has_more:
            more, has_more = await self.page(limit)
            ids += more
        return ids

    async def until_read(self, payment_id: str) -> None:
        """Polls until the payment has come."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while payment_id not in self.ids:
                await self.window()

    def assert_exactly_once(self, committed: set[str]) -> None:
        """What was committed was read, nothing else, and nothing twice."""
        assert len(self.ids) == len(set(self.ids)), "read twice"
        assert set(self.ids) - committed == set(), "read, but never committed"
        assert committed - set(self.ids) == set(), "committed, but never read"

    def assert_no_version_missing(self) -> None:
        """Of every account its entries from the first to the newest read, balances adding up."""
        accounts: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
        for payment in self.payments:
            for entry in payment["entries"]:
                accounts[entry["account"]][entry["version"]] = entry
        for account, entries in accounts.items():
            assert sorted(entries) == list(range(1, len(entries) + 1)), account
            balance = 0
            for version in sorted(entries):
                balance += int(entries[version]["amount"])
                assert int(entries[version]["balance"]) == balance, (account, version)


@dataclass
class Feed:
    """A ledger with accounts a1, a2, ..., two who post to it, and a reader that has read all."""

    books: Ledger
    writer: Connection
    reader: FeedReader

    @property
    def observer(self) -> Connection:
        """A superuser, who posts too when nobody else is asked to."""
        return self.books.observer

    async def post(
        self, key: str, from_: str = "a1", to: str = "a2", by: Connection | None = None
    ) -> str:
        """The id of a new payment."""
        result = await self.books.pay(by or self.observer, key, from_, to, 1)
        assert (result.outcome, result.replayed) == ("posted", False), result
        return str(result.payment_id)

    async def post_aside(self, key: str) -> str:
        """The same between other accounts, so that nothing waits for it, nor it for anything."""
        return await self.post(key, "a3", "a4")


@asynccontextmanager
async def open_feed(server: Server, database: str) -> AsyncIterator[Feed]:
    """A new ledger in this database; afterwards no prepared transaction is left."""
    sessions = Database(server, database)
    try:
        observer = await sessions.connect("postgres")
        ledger_id = await observer.fetchval(
            "select ledger_id from ledger.create_ledger($1)", f"feed-{secrets.token_hex(8)}"
        )
        books = Ledger(sessions, observer, ledger_id)
        for number in range(1, ACCOUNTS + 1):
            await books.open(f"a{number}", minimum=None)
        reader = FeedReader(await sessions.connect())
        yield Feed(books, await sessions.connect(), await reader.start_at_end())
    finally:
        await sessions.close()
        async with sessions.connection("postgres") as con:
            for row in await con.fetch(
                "select gid from pg_prepared_xacts where database = current_database()"
            ):
                await con.execute(f"rollback prepared '{row['gid']}'")


class Raised:
    """What a `raises` block ended with."""

    detail: dict[str, Any]


@asynccontextmanager
async def raises(code: str) -> AsyncIterator[Raised]:
    """The block must raise this code of the catalogue."""
    raised = Raised()
    with pytest.raises(asyncpg.PostgresError) as caught:
        yield raised
    raised.detail = json.loads(getattr(caught.value, "detail", None) or "{}")
    assert raised.detail.get("code") == code, caught.value


def due_for_a_sweep(cursor: str | None) -> str:
    """The cursor as if its last sweep had been long ago."""
    return json.dumps(json.loads(cursor or "") | {"swept_at": 0})
