"""Accepts connections, and leaves some to others.

Processes that share a socket share the connections to it as whoever looks first will have it: of a
burst of 256, one of two had up to 237. So they know of each other how many they have, and who has
more than another leaves the next one to that for a moment.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from service.api.resources import METRICS
from service.errors import describe

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

logger = logging.getLogger(__name__)

# How many connections more than the process that has the fewest make it worth while to wait, and
# how long. While one accepts none, as it hangs, this is what a connection costs the others.
_MORE = 8
_LEAVE_SECONDS = 0.002

# In one turn of the loop: those who are connected already are to be answered, too.
_AT_ONCE = 8

# There is nobody any more: another process was first, or the client has gone (accept(2)).
_NOBODY = frozenset(
    {
        errno.EAGAIN,
        errno.ECONNABORTED,
        errno.EPERM,
        errno.EPROTO,
        errno.ENOPROTOOPT,
        errno.EOPNOTSUPP,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
    }
)
# After any other failure (no descriptors left): it would come again at once, and all the time.
_REST_SECONDS = 1.0


class SharingSite(web.BaseSite):
    """A site on a socket that listens already; other processes may accept on it, too."""

    __slots__ = ("_begun", "_listener", "_loop", "_region", "_resting")

    def __init__(self, runner: web.AppRunner, listener: socket.socket) -> None:
        super().__init__(runner)
        self._begun: set[asyncio.Task[None]] = set()
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._region = runner.app[METRICS].region
        self._resting: asyncio.TimerHandle | None = None

    @property
    def name(self) -> str:
        """For aiohttp's messages."""
        return str(self._listener.getsockname())

    async def start(self) -> None:
        """Accepts from now on."""
        await super().start()
        self._listener.setblocking(False)
        self._look()

    async def stop(self) -> None:
        """Accepts no more; those that are accepted go on."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()
        await asyncio.gather(*self._begun)
        await super().stop()

    def _look(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listener)
        self._resting = self._loop.call_later(seconds, then)

    def _accept(self) -> None:
        """Somebody wants to connect."""
        for _ in range(_AT_ONCE):
            if self._has_more_than_others():
                self._pause(_LEAVE_SECONDS, self._accept_left)
                return
            if not self._accept_one():
                return

    def _accept_left(self) -> None:
        """If one is still there that was left to others, they do not take it."""
        self._look()
        self._accept_one()

    def _has_more_than_others(self) -> bool:
        memory, number = self._region.memory, self._region.index
        others = [memory.connections(other) for other in range(memory.regions) if other != number]
        mine = memory.connections(number) + len(self._begun)
        return bool(others) and mine > min(others) + _MORE

    def _accept_one(self) -> bool:
        """False: there is none, or none can be accepted now."""
        try:
            connection, _ = self._listener.accept()
        except OSError as exc:
            if exc.errno not in _NOBODY:
                cause = errno.errorcode.get(exc.errno or 0, str(exc.errno))
                logger.error("cannot accept connections", extra={"cause": cause})
                self._pause(_REST_SECONDS, self._look)
            return False
        connection.setblocking(False)
        task = self._loop.create_task(self._begin(connection))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return True

    async def _begin(self, connection: socket.socket) -> None:
        server = self._runner.server
        try:
            if server is None:
                raise ConnectionAbortedError("the server has ended")
            await self._loop.connect_accepted_socket(server, connection)
        except Exception as exc:  # noqa: BLE001 -- it concerns this connection alone
            connection.close()
            logger.error("a connection could not begin", extra={"exception": describe(exc)})
