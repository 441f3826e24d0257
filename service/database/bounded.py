"""A pool whose size holds for the server, too.

A call that is given up leaves its backend at work: it waits for a lock, for a standby, for its
disk. The driver then opens another connection in its place, and while the trouble lasts, another
after each deadline, until the server has none left for anybody. So whoever is given up keeps his
place until the server says that his backend is gone.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import asyncpg

from service.database.connections import DRIVER_ERRORS
from service.errors import describe

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

logger = logging.getLogger(__name__)

# Of those given up, who is at work. A process id may belong to another session by now, which is
# idle at one time or other.
_AT_WORK = "select pid from pg_stat_activity where pid = any ($1::int[]) and state <> 'idle'"
_ASK_SECONDS = 1.0
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 0.2


class BoundedPool:
    """Connections of an asyncpg pool, which stays its maker's to close.

    To be entered, `async with`, by whoever closes it: whom it looks after is forgotten then.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        self._places = asyncio.Semaphore(pool.get_max_size())
        self._pids: dict[Connection, int] = {}  # of those in use
        self._abandoned: dict[Connection, int] = {}
        self._watch: asyncio.Task[None] | None = None

    @property
    def idle(self) -> int:
        """How many connections wait for a call."""
        return self._pool.get_idle_size()

    @property
    def busy(self) -> int:
        """How many connections have one."""
        return self._pool.get_size() - self._pool.get_idle_size()

    @property
    def abandoned(self) -> int:
        """How many backends may still work on a call that was given up."""
        return len(self._abandoned)

    async def acquire(self, *, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 -- asyncpg's
        """One that is to be released in any case. Raises what the pool raises, and TimeoutError."""
        if timeout is not None and timeout <= 0:
            raise TimeoutError  # also if one were to be had without waiting
        async with asyncio.timeout(timeout):
            await self._places.acquire()
            try:
                connection = await self._pool.acquire()
            except BaseException:
                self._places.release()
                raise
        self._pids[connection] = connection.get_server_pid()
        return connection

    async def release(self, connection: Connection, *, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Gives it back. Raises what the pool raises; its place is free all the same."""
        del self._pids[connection]
        if connection not in self._abandoned:
            self._places.release()
        await self._pool.release(connection, timeout=timeout)

    def abandon(self, connection: Connection) -> None:
        """Ends it in the middle of its call, if it has not ended. It still has to be released."""
        self._abandoned[connection] = self._pids[connection]
        with suppress(asyncpg.InterfaceError):  # the pool has it back already
            connection.terminate()
        if self._watch is None:
            self._watch = asyncio.create_task(self._look_after())
            self._watch.add_done_callback(self._looked)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])

    async def _look_after(self) -> None:
        pause = _FIRST_PAUSE
        while self._abandoned:
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            asked = dict(self._abandoned)
            try:
                at_work = await self._at_work(list(asked.values()))
            except DRIVER_ERRORS as exc:
                # It may be the trouble that they were given up for: then nobody gets in anyway.
                logger.debug(
                    "nothing known of abandoned calls", extra={"cause": type(exc).__name__}
                )
                continue
            for connection in [one for one, pid in asked.items() if pid not in at_work]:
                del self._abandoned[connection]
                if connection not in self._pids:
                    self._places.release()

    def _looked(self, watch: asyncio.Task[None]) -> None:
        self._watch = None
        if not watch.cancelled() and (exc := watch.exception()) is not None:
            logger.critical("abandoned calls are lost", extra={"exception": describe(exc)})

    async def _at_work(self, pids: list[int]) -> set[int]:
        """Which of them are. On a connection beside the places: there may be none."""
        async with asyncio.timeout(_ASK_SECONDS):
            connection = await self._pool.acquire()
            try:
                return {row[0] for row in await connection.fetch(_AT_WORK, pids)}
            except BaseException:
                connection.terminate()
                raise
            finally:
                await self._pool.release(connection)
