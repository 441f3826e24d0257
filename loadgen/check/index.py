"""The history on disk, in the orders in which the checker needs it: a SQLite file.

Why SQLite: it is in the standard library, its sorter spills to disk, and its cache has a bound. So
memory does not depend on the number of requests: rows are appended without any index, and each
order is one external sort of narrow rows. Bodies stay in the history; a row has their digests and
where they stand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

CACHE_KIB = 64 * 1024
_BATCH = 5_000

_SCHEMA = """
create table attempts (
  key text, n int, request int, invoked int, content blob, lost int, answered int, at int,
  outcome text, code text, status int, answer blob, headers blob, claim blob, payment text,
  replayed int, window int
);
create table reads (
  account_id int, account text, version int, balance text, place int, at int, session int,
  token text, etag text, status int, window int
);
create table times (
  payment text, key text, known int, invoked int, answered int, at int, contents blob, claim blob
);
create table moves (
  account_id int, version int, payment text, key text, invoked int, answered int, at int
);
"""


class Attempt(NamedTuple):
    """An attempt with what came of it; places are offsets in the history, and so order of time."""

    key: str
    n: int
    request: int
    invoked: int
    content: bytes
    lost: int
    """1: no definite answer came."""
    answered: int | None
    at: int | None
    outcome: str
    code: str
    status: int
    answer: bytes | None
    """Stands for status and body."""
    headers: bytes | None
    """Stands for Content-Type, ETag and Location, where there are such."""
    claim: bytes | None
    payment: str | None
    replayed: int
    window: int
    """In which window of loss it was on its way; 0: in none."""


class Read(NamedTuple):
    """A read that was answered."""

    account_id: int
    account: str
    version: int
    balance: str
    place: int
    at: int
    session: int
    token: str
    etag: str
    status: int
    window: int
    """In which window of loss it was on its way; 0: in none."""


class Times(NamedTuple):
    """A payment that the ledger has under a key: when it was asked for and first acknowledged."""

    payment: str
    key: str
    known: int
    """0: the history does not know the key."""
    invoked: int
    answered: int | None
    at: int | None
    contents: bytes
    """The digests that its content may have, one after the other."""
    claim: bytes | None
    """What was acknowledged."""


class Move(NamedTuple):
    """One entry of such a payment."""

    account_id: int
    version: int
    payment: str
    key: str
    invoked: int
    answered: int | None
    at: int | None


class Index:
    """The four tables, each written once from end to end and then read in an order."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        for setting in (
            "journal_mode = off",  # nobody reads it after a crash
            "synchronous = off",
            f"cache_size = -{CACHE_KIB}",
            "temp_store = file",
            "mmap_size = 0",
        ):
            self._db.execute(f"pragma {setting}")
        self._db.executescript(_SCHEMA)
        self._db.execute("begin")
        self._waiting: dict[str, list[tuple[object, ...]]] = {}

    def add(self, row: Attempt | Read | Times | Move) -> None:
        """Append a row to its table."""
        waiting = self._waiting.setdefault(_TABLES[type(row)], [])
        waiting.append(row)
        if len(waiting) >= _BATCH:
            self._flush()

    def keys(self) -> Iterator[tuple[str, list[Attempt]]]:
        """Give the attempts, by key, in the order of sending."""
        rows = map(Attempt._make, self._sorted("attempts", "key, n"))
        for key, attempts in groupby(rows, key=lambda attempt: attempt.key):
            yield key, list(attempts)

    def reads_by_account(self) -> Iterator[Read]:
        """Give the balances served, by account and version."""
        return map(
            Read._make, self._sorted("reads", "account_id, version, place", "where status = 200")
        )

    def reads_by_session(self) -> Iterator[Read]:
        """Give the reads of sessions, each session's in its order."""
        return map(Read._make, self._sorted("reads", "session, place", "where session > 0"))

    def times(self) -> Iterator[Times]:
        """Give the payments, by id."""
        return map(Times._make, self._sorted("times", "payment"))

    def moves(self) -> Iterator[Move]:
        """Give the entries, by account and version."""
        return map(Move._make, self._sorted("moves", "account_id, version"))

    def lines_of(self, key: str, most: int) -> list[int]:
        """Give where a key stands in the history; it looks at everything, so ask seldom."""
        self._flush()
        places: list[int] = []
        for invoked, answered in self._db.execute(
            "select invoked, answered from attempts where key = ? order by n limit ?",
            (key, most),
        ):
            places += [place for place in (invoked, answered) if place is not None]
        return sorted(places)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _sorted(self, table: str, order: str, where: str = "") -> Iterator[tuple[object, ...]]:
        self._flush()
        # The names are this module's own.
        return iter(self._db.execute(f"select * from {table} {where} order by {order}"))  # noqa: S608

    def _flush(self) -> None:
        for table, rows in self._waiting.items():
            if rows:
                places = ",".join("?" * len(rows[0]))
                self._db.executemany(f"insert into {table} values ({places})", rows)  # noqa: S608
                rows.clear()


_TABLES: dict[type, str] = {Attempt: "attempts", Read: "reads", Times: "times", Move: "moves"}
