"""Calls to Redis or Valkey: within 50 ms or not at all, and none while it keeps failing.

The client's own pool is not used, because a key is made for one connection: it names the run of the
server at the other end, read when the connection is made. A pool that reconnects behind our back
would ask a restarted server, with whatever it loaded from its disk, for what the one before held.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any, TypeAlias

from redis import exceptions
from redis.asyncio.connection import Connection, parse_url

from service.cache.breaker import Breaker
from service.cache.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.cache.counters import Counters

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.05
_START_SECONDS = 2.0

Command: TypeAlias = tuple[Any, ...]
Commands: TypeAlias = "Callable[[str], Sequence[Command]]"  # for a run of the server

_FAILURES = (OSError, exceptions.RedisError, EOFError)  # timeouts are OSErrors


class Server:
    """By URL: redis://, rediss:// or unix://. `scripts` are what EVALSHA may name."""

    def __init__(
        self,
        url: str,
        scripts: Sequence[bytes],
        counters: Counters,
        *,
        clock: Callable[[], float] = time.monotonic,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._counters = counters
        self._how: dict[str, Any] = dict(parse_url(url))
        self._connection_class = self._how.pop("connection_class", Connection)
        self._how |= {"protocol": 2, "driver_info": None, "socket_timeout": None}
        self._idle: list[_Connection] = []
        self._scripts = scripts
        self.breaker = Breaker(clock)
        self.timeout_seconds = timeout_seconds

    async def start(self) -> str | None:
        """Connect. What is wrong, in words; None: nothing is."""
        try:
            async with asyncio.timeout(_START_SECONDS):
                self._idle.append(await self._connect())
        except _FAILURES as exc:
            self.breaker.failed()
            return _in_words(exc)
        return None

    async def close(self) -> None:
        """End all connections."""
        while self._idle:
            await self._idle.pop().end()

    async def call(self, commands: Commands) -> tuple[list[Any], str] | None:
        """The replies to commands made for the server's run, and that run; None: there are none."""
        if not self.breaker.admits():
            self._counters.l2_skipped += 1
            return None
        deadline = asyncio.get_running_loop().time() + self.timeout_seconds
        try:
            async with Patience(deadline):
                answer = await self._ask(commands)
        except _FAILURES as exc:
            await self._failed(exc)
            return None
        self.breaker.succeeded()
        return answer

    async def _ask(self, commands: Commands) -> tuple[list[Any], str]:
        connection = self._idle.pop() if self._idle else await self._connect()
        try:
            replies = await connection.ask(commands(connection.run_id))
        except exceptions.OutOfMemoryError:
            self._idle.append(connection)  # the server is well enough to say so
            raise
        except BaseException:
            # An answer may be under way that the next one would take for his.
            await connection.abandon()
            raise
        self._idle.append(connection)
        return replies, connection.run_id

    async def _connect(self) -> _Connection:
        connection = _Connection(self._connection_class(**self._how))
        try:
            await connection.begin(self._scripts)
        except BaseException:
            await connection.abandon()
            raise
        return connection

    async def _failed(self, exc: BaseException) -> None:
        if isinstance(exc, TimeoutError):
            self._counters.l2_timeouts += 1
        self._counters.l2_errors += 1
        was_open = self.breaker.is_open
        self.breaker.failed()
        if self.breaker.is_open and not was_open:
            self._counters.breaker_opened += 1
            logger.warning("L2 is left out for now", extra={"cause": _in_words(exc)})
        if isinstance(exc, exceptions.ConnectionError | ConnectionError):
            while self._idle:  # they lead to the same server
                await self._idle.pop().abandon()


class _Connection:
    """To one run of a server: it never reconnects, so `run_id` stays true."""

    __slots__ = ("_connection", "run_id")

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.run_id = ""

    async def begin(self, scripts: Sequence[bytes]) -> None:
        """Connect, see which run of the server it is, and give it the scripts."""
        await self._connection.connect()
        loads = [("SCRIPT", "LOAD", script) for script in scripts]
        information, *_ = await self.ask([("INFO", "server"), *loads])
        for line in information.splitlines():
            if line.startswith(b"run_id:"):
                self.run_id = line[len(b"run_id:") :].decode()[:16]
        if not self.run_id:
            raise exceptions.RedisError("the server does not tell its run_id")

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """An answer to each, of one sending. Raises the first that is an error."""
        if self.run_id and not self._connection.is_connected:
            raise exceptions.ConnectionError  # sending would connect, to who knows which run
        packed = self._connection.pack_commands(commands)
        await self._connection.send_packed_command(packed, check_health=False)
        replies = []
        refusal = None
        for _ in commands:
            try:
                replies.append(await self._connection.read_response())
            except exceptions.ResponseError as exc:
                refusal = refusal or exc
        if refusal is not None:
            raise refusal
        return replies

    async def abandon(self) -> None:
        """Close at once: what is under way is not waited for."""
        await self._connection.disconnect(nowait=True)

    async def end(self) -> None:
        """Close in order."""
        await self._connection.disconnect()


def _in_words(exc: BaseException) -> str:
    """What is wrong with the server, for a person; passwords are in no such text."""
    if isinstance(exc.__cause__, exceptions.RedisError):
        exc = exc.__cause__  # the client calls whatever fails while it connects a lost connection
    match exc:
        case exceptions.AuthenticationError():
            return "the server refuses the user name or password of the Redis URL"
        case exceptions.NoPermissionError():
            needed = "INFO, EVALSHA, SCRIPT, GET, MGET, SET, DEL"
            return f"the server lets this user do too little: {needed}"
        case exceptions.OutOfMemoryError():
            return "the server is out of memory: give it a maxmemory-policy such as allkeys-lru"
        case TimeoutError() | exceptions.TimeoutError():
            return "the server does not answer in time"
        case exceptions.ConnectionError() | OSError() | EOFError():
            return "the server cannot be reached"
        case _:
            return f"the server answers strangely ({type(exc).__name__})"
