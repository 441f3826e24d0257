"""Accepts connections one by one.

Left to itself a loop accepts all that wait as soon as it looks. Of a burst of connections to a
socket that processes share, whoever looks first then has most: of 256, one of two had up to 237. So
they accept one at a time, and who has more than another leaves the next one to that for a moment.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    import socket

    from service.api.connections import Runner

logger = logging.getLogger(__name__)

# How many connections more than another process make it worth while to wait, and how long. One that
# accepts none, as it hangs or is not there, so costs 2 ms a connection.
_MORE = 8
_LEAVE_SECONDS = 0.002

# After a failure: without a rest it would be tried, and fail, all the time.
_REST_SECONDS = 1.0


class OneByOne(web.BaseSite):
    """A site on a socket that listens already; other processes may accept on it, too."""

    __slots__ = ("_begun", "_has_left", "_listener", "_loop", "_region", "_resting")

    def __init__(self, runner: Runner, listener: socket.socket) -> None:
        super().__init__(runner)
        self._begun: set[asyncio.Task[object]] = set()
        self._has_left = False  # this connection to others, and they did not take it
        self._listener = listener
        self._loop = asyncio.get_running_loop()
        self._region = runner.region
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
        await asyncio.gather(*self._begun, return_exceptions=True)
        await super().stop()

    def _look(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        if not self._has_left and self._has_more_than_others():
            self._has_left = True
            self._rest(_LEAVE_SECONDS)
            return
        self._has_left = False
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process was first, or the client is gone
        except OSError as exc:  # no descriptors or no memory left, most likely
            cause = errno.errorcode.get(exc.errno or 0, str(exc.errno))
            logger.error("cannot accept connections", extra={"cause": cause})
            self._rest(_REST_SECONDS)
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._begin(connection))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    def _has_more_than_others(self) -> bool:
        mine = self._region.memory.connections(self._region.index)
        return mine > self._region.fewest_elsewhere() + _MORE

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._resting = self._loop.call_later(seconds, self._look)

    async def _begin(self, connection: socket.socket) -> None:
        server = self._runner.server
        if server is None:  # it has ended meanwhile
            connection.close()
            return
        await self._loop.connect_accepted_socket(server, connection)
