"""The layer that processes share, on Redis or Valkey. It may be absent, slow or wrong at any time.

Nothing here raises: what cannot be had is None, what could not be written is False. A call takes
50 ms at most, and who comes while one is under way waits for the next: looks for answers of the
same kind go together, and so does what is written.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from service.cache import wire
from service.cache.l2_server import TIMEOUT_SECONDS, Server
from service.cache.model import AccountKey, Scope
from service.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.cache.breaker import Breaker
    from service.cache.counters import Counters
    from service.cache.l2_server import Command
    from service.cache.model import CachedBalance, Change

LEASE_MILLISECONDS = 1_000
BALANCE_MILLISECONDS = 60_000

_QUEUED = 10_000
_MOST_A_CALL = 200  # a script holds up everybody else's commands
_SCRIPTS_A_CALL = 5  # sent together; four of them may run before anybody else's command does

_LOOK, _FILL, _WRITE = (
    hashlib.sha1(script, usedforsecurity=False).hexdigest()
    for script in (wire.LOOK, wire.FILL, wire.WRITE)
)


class Look(NamedTuple):
    """A balance, or perhaps the lease to fill it in."""

    balance: CachedBalance | None
    lease: wire.Lease | None


_NOTHING = Look(None, None)


class _Fill(msgspec.Struct, frozen=True, gc=False):
    lease: wire.Lease
    balance: CachedBalance


class _Answer(msgspec.Struct, frozen=True, gc=False):
    scope: Scope
    ledger_id: int
    idem_key: str
    value: bytes
    milliseconds: int


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
        self._answers = Gathering(self._find_answers, most=_MOST_A_CALL)
        self._looks = Gathering(self._look_for, most=_MOST_A_CALL)
        self._queue: asyncio.Queue[_Fill | _Answer] = asyncio.Queue(_QUEUED)
        self._writer: asyncio.Task[None] | None = None
        self.server = Server(
            url,
            (wire.LOOK, wire.FILL, wire.WRITE),
            counters,
            clock=clock,
            timeout_seconds=timeout_seconds,
        )

    @property
    def breaker(self) -> Breaker:
        """Whether the server is left out for now."""
        return self.server.breaker

    async def start(self) -> str | None:
        """Begin. What is wrong with the server, in words; None: nothing is.

        Whatever is wrong, all else works; and this layer, too, once that is right.
        """
        self._writer = asyncio.create_task(self._write_queued())
        return await self.server.start()

    async def close(self) -> None:
        """End; what is queued is left out."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._answers.close()
        await self._looks.close()
        await self.server.close()

    async def drained(self) -> None:
        """Until everything queued so far was done, or left out."""
        await self._queue.join()

    # -- balances ---------------------------------------------------------------------------------

    async def look(self, scope: Scope, key: AccountKey, min_version: int) -> Look:
        """A balance not below `min_version`, or else the lease, if nobody has it."""
        return await self._looks.answer(scope, (key, min_version))

    async def _look_for(
        self, scope: Scope, questions: Sequence[tuple[AccountKey, int]]
    ) -> list[Look]:
        # One word for all of them: a lease is one account's, and nobody else draws this word.
        token = secrets.token_bytes(12)

        def commands(run_id: str) -> list[Command]:
            keys: list[bytes] = []
            for key, _ in questions:
                at = wire.balance_key(scope, run_id, key)
                keys += (at, wire.lease_key(at))
            least = [wire.version_text(min_version) for _, min_version in questions]
            return [("EVALSHA", _LOOK, len(keys), *keys, token, LEASE_MILLISECONDS, *least)]

        answer = await self.server.call(commands)
        if answer is None:
            return [_NOTHING] * len(questions)
        (said,), run_id = answer
        found = wire.read_looks(said, len(questions))
        return [
            self._read_look(value, scope, run_id, key, token)
            for value, (key, _) in zip(found, questions, strict=True)
        ]

    def _read_look(
        self, value: bytes, scope: Scope, run_id: str, key: AccountKey, token: bytes
    ) -> Look:
        if value == wire.LEASED:
            return Look(None, wire.Lease(scope, run_id, key, token))
        if value == wire.MISSED:
            return _NOTHING
        balance = wire.read_balance(wire.balance_key(scope, run_id, key), key.code, value)
        if balance is None:
            self._counters.l2_mismatches += 1
        return Look(balance, None)

    def fill(self, lease: wire.Lease, balance: CachedBalance) -> None:
        """Queue what was read under the lease. Written while the lease is held, and only then."""
        self._put(_Fill(lease, balance))

    async def write(
        self, epoch: str, generation: str, changes: Sequence[tuple[int, Change]]
    ) -> bool:
        """The relay's: what each (ledger_id, change) made of its account.

        False: L2 may have missed some. Then nothing in this generation may be believed any more:
        tell another one before anything else. Takes 50 ms at most for each 1,000.
        """
        scope = Scope(epoch, generation)
        scripts = [
            wire.write_changes(changes[begin : begin + _MOST_A_CALL])
            for begin in range(0, len(changes), _MOST_A_CALL)
        ]
        for begin in range(0, len(scripts), _SCRIPTS_A_CALL):
            answer = await self.server.call(
                partial(_write_commands, scope, scripts[begin : begin + _SCRIPTS_A_CALL])
            )
            if answer is None:
                return False
            self._counters.l2_written += sum(answer[0])
        return True

    # -- answers ----------------------------------------------------------------------------------

    async def find_answer(self, scope: Scope, ledger_id: int, idem_key: str) -> bytes | None:
        """What was put there, its key and all."""
        return await self._answers.answer(scope, (ledger_id, idem_key))

    async def _find_answers(
        self, scope: Scope, questions: Sequence[tuple[int, str]]
    ) -> Sequence[bytes | None]:
        def commands(run_id: str) -> list[Command]:
            return [
                ("MGET", *(wire.answer_key(scope, run_id, *question) for question in questions))
            ]

        answer = await self.server.call(commands)
        if answer is None:
            return [None] * len(questions)
        (values,), _ = answer
        found: list[bytes | None] = values
        return found

    def put_answer(
        self, scope: Scope, ledger_id: int, idem_key: str, value: bytes, milliseconds: int
    ) -> None:
        """Queue an answer; there is only one to a key."""
        self._put(_Answer(scope, ledger_id, idem_key, value, milliseconds))

    # -- what is queued ---------------------------------------------------------------------------

    def _put(self, queued: _Fill | _Answer) -> None:
        try:
            self._queue.put_nowait(queued)
        except asyncio.QueueFull:
            self._counters.refused_full += 1

    async def _write_queued(self) -> None:
        """Writes what is queued. What fails is left out: a value not written is a miss, no more."""
        while True:
            queued = [await self._queue.get()]
            while len(queued) < _MOST_A_CALL and not self._queue.empty():
                queued.append(self._queue.get_nowait())
            try:
                await self._write_all(queued)
            finally:
                for _ in queued:
                    self._queue.task_done()

    async def _write_all(self, queued: Sequence[_Fill | _Answer]) -> None:
        fills = [one for one in queued if isinstance(one, _Fill)]
        answers = [one for one in queued if isinstance(one, _Answer)]
        filled = 0

        def commands(run_id: str) -> list[Command]:
            # The leases of another run were another server's.
            ours = [fill for fill in fills if fill.lease.run_id == run_id]
            nonlocal filled
            filled = len(ours)
            return [
                *([_fill_command(ours)] if ours else ()),
                *(_answer_command(answer, run_id) for answer in answers),
            ]

        answer = await self.server.call(commands)
        written, older = answer[0][0] if answer is not None and filled else (0, 0)
        self._counters.l2_written += written
        self._counters.refused_older += older
        self._counters.refused_lease += len(fills) - written - older


def _write_commands(scope: Scope, scripts: Sequence[bytes], run_id: str) -> list[Command]:
    where = wire.balance_prefix(scope, run_id)
    return [("EVALSHA", _WRITE, 0, BALANCE_MILLISECONDS, where, lines) for lines in scripts]


def _fill_command(fills: Sequence[_Fill]) -> Command:
    keys: list[bytes] = []
    values: list[bytes] = []
    for fill in fills:
        lease = fill.lease
        at = wire.balance_key(lease.scope, lease.run_id, lease.key)
        keys += (at, wire.lease_key(at))
        values += (lease.token, wire.write_balance(at, fill.balance))
    return ("EVALSHA", _FILL, len(keys), *keys, BALANCE_MILLISECONDS, *values)


def _answer_command(answer: _Answer, run_id: str) -> Command:
    at = wire.answer_key(answer.scope, run_id, answer.ledger_id, answer.idem_key)
    return ("SET", at, answer.value, "PX", answer.milliseconds)
