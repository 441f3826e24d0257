"""A connection that LISTENs, with a DSN of its own.

Never through a pooler in transaction mode: it would give the session to others, and nothing would
ever be heard.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from service.database.connections import CONNECT_SECONDS, DRIVER_ERRORS, DatabaseError, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ANSWER_SECONDS = 2.0


class Clock(NamedTuple):
    """The database's clock, seen from here: at `at`, a monotonic time, it showed `shown`."""

    shown: float  # Unix seconds
    at: float
    doubt: float  # seconds either way

    def now(self) -> float:
        """What it shows now, unless somebody has set it."""
        return self.shown + time.monotonic() - self.at


class Listening:
    """A connection that hears what is told on the relay's channel."""

    def __init__(
        self, connection: asyncpg.Connection[asyncpg.Record], epoch: str, secret: bytes
    ) -> None:
        self._connection = connection
        self._ended = asyncio.Event()
        self.epoch = epoch
        self.secret = secret
        connection.add_termination_listener(self._on_end)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will be heard."""
        return self._ended.is_set() or self._connection.is_closed()

    def end(self) -> None:
        """Give the connection up."""
        self._connection.terminate()
        self._ended.set()

    async def ended(self, seconds: float) -> bool:
        """Waits until the connection has ended, at most so long; whether it has."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return self.has_ended
        return True

    async def read_clock(self) -> Clock:
        """Asks for the time. What was told before that has been heard when it is there.

        DatabaseError: there is no answer, as from a server that is gone without a word.
        """
        before = time.monotonic()
        try:
            shown = await self._connection.fetchval(
                "select extract(epoch from clock_timestamp())::float8", timeout=ANSWER_SECONDS
            )
        except DRIVER_ERRORS as exc:
            raise DatabaseError(f"the listening connection is lost: {said(exc)}") from exc
        after = time.monotonic()
        return Clock(shown, (before + after) / 2, (after - before) / 2)

    def _on_end(self, _connection: object) -> None:
        self._ended.set()


@asynccontextmanager
async def listening(dsn: str, hear: Callable[[Listening, str], None]) -> AsyncIterator[Listening]:
    """A connection whose LISTEN is committed; `hear` is called with each message.

    DatabaseError: the database cannot be reached, is a standby, or does not let this login.
    """
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=ANSWER_SECONDS,
            server_settings={"application_name": "payledger listener"},
        )
    except DRIVER_ERRORS as exc:
        raise DatabaseError(f"cannot connect to listen: {said(exc)}") from exc
    try:
        try:
            heard = await _listen(connection, hear)
        except DRIVER_ERRORS as exc:
            raise DatabaseError(f"cannot listen: {said(exc)}") from exc
        yield heard
    finally:
        connection.terminate()


async def _listen(
    connection: asyncpg.Connection[asyncpg.Record], hear: Callable[[Listening, str], None]
) -> Listening:
    row = await connection.fetchrow(
        "select channel, secret, ledger.cache_epoch() as epoch from ledger.notification_secret()"
    )
    assert row is not None  # noqa: S101 -- a function that always gives a row
    if row["epoch"] is None:
        raise DatabaseError("cannot listen: this is a standby")
    heard = Listening(connection, row["epoch"], row["secret"])

    def on_notification(_con: object, _pid: int, _channel: str, payload: object) -> None:
        if not heard.has_ended:
            hear(heard, str(payload))

    await connection.add_listener(row["channel"], on_notification)
    return heard
