"""The layer that processes share, on Redis or Valkey. It may be absent, slow or wrong at any time.

Nothing here is awaited for longer than 50 ms, and nothing raises: what cannot be had is None, what
could not be written is False. The client's own pool is not used, because a key is made for one
connection: it names the run of the server at the other end, read when the connection is made. A
pool that reconnects behind our back would ask a restarted server, with whatever it loaded from its
disk, for what the one before held.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from redis import exceptions
from redis.asyncio.connection import Connection, parse_url

from service.cache import wire
from service.cache.breaker import Breaker
from service.cache.model import AccountKey, Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from service.cache.counters import Counters
    from service.cache.model import CachedBalance, Change

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.05
LEASE_MILLISECONDS = 1_000
BALANCE_MILLISECONDS = 60_000

_CONNECTIONS = 16
_QUEUED = 10_000
_WRITES_A_CALL = 200  # a script holds up everybody else's commands
_START_SECONDS = 2.0

_LOOK, _FILL, _WRITE = (
    hashlib.sha1(script, usedforsecurity=False).hexdigest()
    for script in (wire.LOOK, wire.FILL, wire.WRITE)
)

Command = tuple[Any, ...]

_FAILURES = (OSError, exceptions.RedisError, EOFError)  # timeouts are OSErrors


class Look(NamedTuple):
    """A balance, or perhaps the lease to fill it in."""

    balance: CachedBalance | None
    lease: wire.Lease | None


_NOTHING = Look(None, None)


class L2:
    """Redis or Valkey, by URL: redis://, rediss:// or unix://."""

    def __init__(
        self,
        url: str,
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
        self._jobs: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(_QUEUED)
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._timeout_seconds = timeout_seconds
        self._writer: asyncio.Task[None] | None = None
        self.breaker = Breaker(clock)

    async def start(self) -> str | None:
        """Begin. What is wrong with the server, in words; None: nothing is.

        Whatever is wrong, all else works; and this layer, too, once that is right.
        """
        self._writer = asyncio.create_task(self._work())
        try:
            async with asyncio.timeout(_START_SECONDS):
                self._idle.append(await self._connect())
        except _FAILURES as exc:
            return _in_words(exc)
        return None

    async def close(self) -> None:
        """End; what is queued is left out."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        while self._idle:
            await self._idle.pop().end()

    async def drained(self) -> None:
        """Until everything queued so far was done, or left out."""
        await self._jobs.join()

    # -- balances ---------------------------------------------------------------------------------

    async def look(self, scope: Scope, key: AccountKey, min_version: int) -> Look:
        """A balance not below `min_version`, or else the lease, if nobody has it."""
        token = secrets.token_bytes(12)

        def command(run_id: str) -> Command:
            at = wire.balance_key(scope, run_id, key)
            least = wire.version_text(min_version)
            return ("EVALSHA", _LOOK, 2, at, wire.lease_key(at), least, token, LEASE_MILLISECONDS)

        answer = await self._call(command)
        if answer is None:
            return _NOTHING
        (value, leased), run_id = answer
        if value is None:
            return Look(None, wire.Lease(scope, run_id, key, token) if leased else None)
        balance = wire.read_balance(wire.balance_key(scope, run_id, key), key.code, value)
        if balance is None:
            self._counters.l2_mismatches += 1
        return Look(balance, None)

    def fill(self, lease: wire.Lease, balance: CachedBalance) -> None:
        """Queue what was read under the lease. Written while the lease is held, and only then."""

        def command(run_id: str) -> Command | None:
            if run_id != lease.run_id:
                return None  # the lease was another server's
            at = wire.balance_key(lease.scope, run_id, lease.key)
            value = wire.write_balance(at, balance)
            keys = (at, wire.lease_key(at))
            return ("EVALSHA", _FILL, 2, *keys, lease.token, value, BALANCE_MILLISECONDS)

        async def job() -> None:
            answer = await self._call(command)
            outcome = 0 if answer is None else answer[0]
            if outcome == 1:
                self._counters.l2_written += 1
            elif outcome == 0:
                self._counters.refused_lease += 1
            else:
                self._counters.refused_older += 1

        self._queue(job)

    async def write(
        self, epoch: str, generation: str, changes: Sequence[tuple[int, Change]]
    ) -> bool:
        """The relay's: what each (ledger_id, change) made of its account.

        False: L2 may have missed some. Then nothing in this generation may be believed any more:
        tell another one before, or beside, these changes.
        """
        scope = Scope(epoch, generation)

        def commands(part: Sequence[tuple[int, Change]]) -> Callable[[str], Command]:
            def command(run_id: str) -> Command:
                keys: list[bytes] = []
                values: list[bytes] = []
                for ledger_id, change in part:
                    at = wire.balance_key(scope, run_id, AccountKey(ledger_id, change.code))
                    keys += (at, wire.lease_key(at))
                    values.append(wire.write_change(at, change))
                return ("EVALSHA", _WRITE, len(keys), *keys, BALANCE_MILLISECONDS, *values)

            return command

        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        for begin in range(0, len(changes), _WRITES_A_CALL):
            part = changes[begin : begin + _WRITES_A_CALL]
            answer = await self._call(commands(part), deadline)
            if answer is None:
                return False
            self._counters.l2_written += answer[0]
        return True

    # -- answers ----------------------------------------------------------------------------------

    async def find_answer(self, scope: Scope, ledger_id: int, idem_key: str) -> bytes | None:
        """What was put there, its key and all."""
        answer = await self._call(
            lambda run_id: ("GET", wire.answer_key(scope, run_id, ledger_id, idem_key))
        )
        return None if answer is None else answer[0]

    def put_answer(
        self, scope: Scope, ledger_id: int, idem_key: str, value: bytes, milliseconds: int
    ) -> None:
        """Queue an answer; there is only one to a key."""

        async def job() -> None:
            await self._call(
                lambda run_id: (
                    "SET",
                    wire.answer_key(scope, run_id, ledger_id, idem_key),
                    value,
                    "PX",
                    milliseconds,
                )
            )

        self._queue(job)

    # -- calls ------------------------------------------------------------------------------------

    def _queue(self, job: Callable[[], Awaitable[None]]) -> None:
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            self._counters.refused_full += 1

    async def _work(self) -> None:
        """Does what is queued. What fails is left out: a value not written is a miss, no more."""
        while True:
            job = await self._jobs.get()
            try:
                await job()
            finally:
                self._jobs.task_done()

    async def _call(
        self, command: Callable[[str], Command | None], deadline: float | None = None
    ) -> tuple[Any, str] | None:
        """The answer to the command made for the server's run, and that run; None: there is none.

        `deadline` is a time of the running loop; without one, the timeout from now.
        """
        if not self.breaker.admits():
            self._counters.l2_skipped += 1
            return None
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        try:
            async with asyncio.timeout_at(deadline), self._slots:
                answer = await self._ask(command)
        except _FAILURES as exc:
            await self._failed(exc)
            return None
        self.breaker.succeeded()
        return answer

    async def _ask(self, command: Callable[[str], Command | None]) -> tuple[Any, str] | None:
        connection = self._idle.pop() if self._idle else await self._connect()
        try:
            made = command(connection.run_id)
            reply = None if made is None else await connection.ask(*made)
        except exceptions.OutOfMemoryError:
            self._idle.append(connection)  # the server is well enough to say so
            raise
        except BaseException:
            await (
                connection.abandon()
            )  # an answer may be under way that the next one would take for his
            raise
        self._idle.append(connection)
        return None if made is None else (reply, connection.run_id)

    async def _connect(self) -> _Connection:
        connection = _Connection(self._connection_class(**self._how))
        try:
            await connection.begin()
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

    async def begin(self) -> None:
        """Connect, see which run of the server it is, and give it the scripts."""
        await self._connection.connect()
        information = await self.ask("INFO", "server")
        for line in information.splitlines():
            if line.startswith(b"run_id:"):
                self.run_id = line[len(b"run_id:") :].decode()[:16]
        if not self.run_id:
            raise exceptions.RedisError("the server does not tell its run_id")
        for script in (wire.LOOK, wire.FILL, wire.WRITE):
            await self.ask("SCRIPT", "LOAD", script)

    async def ask(self, *command: Any) -> Any:
        """One command, one answer."""
        if self.run_id and not self._connection.is_connected:
            raise exceptions.ConnectionError  # sending would connect, to who knows which run
        await self._connection.send_command(*command, check_health=False)
        return await self._connection.read_response()

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
            return "the server lets this user do too little: INFO, EVALSHA, SCRIPT, GET, SET, DEL"
        case exceptions.OutOfMemoryError():
            return "the server is out of memory: give it a maxmemory-policy such as allkeys-lru"
        case TimeoutError() | exceptions.TimeoutError():
            return "the server does not answer in time"
        case exceptions.ConnectionError() | OSError() | EOFError():
            return "the server cannot be reached"
        case _:
            return f"the server answers strangely ({type(exc).__name__})"
