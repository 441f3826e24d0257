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


# The cursor as if it had just swept, or never.
RESWEPT = """
(
  select row(
    c.epoch, c.feed_epoch, c.since, c.low, c.high, c.swept,
    case when $2 then 0 else floor(extract(epoch from clock_timestamp()) * 1000)::bigint end,
    c.accounts, c.page
  )::ledger.changes_cursor
  from (select ($1::text::ledger.changes_cursor).*) c
)
"""
WITHIN_A_WINDOW = "select ($1::text::ledger.changes_cursor).page is not null"
NEWEST = """
select code::text, version, balance::text
from ledger.accounts
where ledger_id = $1
"""
AS_OF = """
select a.code::text, e.version, e.balance_after::text
from ledger.ledger_entries e
join ledger.accounts a using (ledger_id, account_id)
where ledger_id = $1
"""


@dataclass
class ChangesReader:
    """Reads what became of accounts, as the relay does, and keeps what came.

    `sweeping` decides for each poll whether it is one that sweeps: those take other ways.
    """

    con: Connection
    cursor: str | None = None
    sweeping: bool | None = None  # None: when it is due
    payments: int = 0
    changes: list[list[Any]] = field(default_factory=list)

    async def start_at_end(self) -> ChangesReader:
        """As if everything visible now had been told, by a sweep: it sets the range of polls."""
        self.cursor, self.sweeping, sweeping = None, None, self.sweeping
        for _ in range(2):
            assert await self.poll() == (0, [], False)
        self.sweeping = sweeping
        return self

    async def poll(
        self, limit: int | None = 1000, con: Connection | None = None
    ) -> tuple[int, list[list[Any]], bool]:
        """How many payments one page is of, what it tells, and whether there is more."""
        con = con or self.con
        asked, swept = "$1::text::ledger.changes_cursor", []
        if self.sweeping is not None and self.cursor is not None and not await self.is_within(con):
            asked, swept = RESWEPT, [self.sweeping]
        rows = await con.fetch(
            "select next_cursor::text, has_more, payment_count, changes::text"
            f" from ledger.read_changes({asked}, ${2 + len(swept)})",
            self.cursor,
            *swept,
            limit,
        )
        assert len(rows) == 1
        self.cursor, has_more, payments, text = rows[0]
        changes = json.loads(text)
        assert limit is not None
        assert payments == limit if has_more else payments <= limit
        self.payments += payments
        self.changes += changes
        return payments, changes, has_more

    async def is_within(self, con: Connection) -> bool:
        """Whether the cursor is between two pages of a window."""
        return bool(await con.fetchval(WITHIN_A_WINDOW, self.cursor))

    async def place(self) -> str:
        """What the cursor has read, without when it swept."""
        place = "select (to_jsonb($1::text::ledger.changes_cursor) - 'swept_at')::text"
        return str(await self.con.fetchval(place, self.cursor))

    async def window(self, limit: int = 1000) -> set[str]:
        """All pages up to the end of the window: what they told, in short."""
        _, changes, has_more = await self.poll(limit)
        while has_more:
            _, more, has_more = await self.poll(limit)
            changes += more
        return in_short(changes)

    async def assert_current(self, feed: Feed) -> None:
        """All that was told is true, and of each account that has entries the newest was told."""
        told: dict[str, tuple[int, str]] = {}
        as_of = {
            (code, version): balance for code, version, balance in await self._ask(feed, AS_OF)
        }
        for ledger_id, (code, version, currency, balance, held) in self.changes:
            assert (ledger_id, currency) == (feed.books.id, "USD")
            if version and balance is not None:
                assert (balance, held) == (as_of[code, version], "0"), (code, version)
                told[code] = max(told.get(code, (0, "0")), (version, balance))
        newest = {code: (v, balance) for code, v, balance in await self._ask(feed, NEWEST) if v}
        assert told == newest

    async def _ask(self, feed: Feed, question: str) -> list[Any]:
        return await feed.observer.fetch(question, feed.books.id)


def in_short(changes: list[list[Any]]) -> set[str]:
    """Such as "a1 v2 -5"; none of them came twice."""
    short = [f"{code} v{version} {balance}" for _, (code, version, _, balance, _) in changes]
    assert len(set(short)) == len(short), short
    return set(short)


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
