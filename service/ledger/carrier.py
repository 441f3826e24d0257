"""Carries one call to PostgreSQL and its answer back, again after trouble, until a deadline.

A call is repeated only when that is safe and may help: the functions are idempotent by key or by
content, and the trouble is the connection's or another transaction's. What a failed attempt left
behind is kept apart: an error that the server reports has rolled the attempt back; a connection
lost in mid-call may have committed it.

`carry` repeats a call as it is. Who has to change it in between (the poster, which then sends a
part of its payments) makes single attempts, and is told how each failed.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec

from service.database.connections import (
    CONNECTION_LOST,
    DRIVER_ERRORS,
    epoch_of,
    is_infrastructure,
)
from service.errors import Problem, describe
from service.jitter import jittered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.database.bounded import BoundedPool, Connection

logger = logging.getLogger(__name__)

# Errors that the server reports before it commits: the attempt is rolled back. Every other lost
# call may have been carried out: its session ended (57P0x, 08xxx), or nothing more was heard.
LOCK_TIMEOUT = "55P03"
_ROLLED_BACK = frozenset({"40001", "40P01", LOCK_TIMEOUT})

# Not cured by trying again at once, and no fault of the client: out of disk, memory or
# connections; cancelled; I/O error; a server that only reads. Rolled back, too.
_SERVER_UNFIT = ("53", "57014", "58", "25006")

# What a cancelled wait for a synchronous standby says: committed here, perhaps not there.
_COMMITTED_LOCALLY = "01000"

FIRST_PAUSE = 0.01
LONGEST_PAUSE = 0.5

# Calls at once, waiting for a connection or on one. More could only time out.
_MOST_IN_WORK = 2_000


def _nobody_asks(_seconds: float) -> None:
    pass


class Carried(NamedTuple):
    """The rows, and the epoch they are of.

    `doubtful`: an earlier attempt of this call may yet be carried out, too.
    """

    rows: list[asyncpg.Record]
    doubtful: bool
    epoch: str


def reserve(deadline_seconds: float) -> float:
    """What an attempt must have left to begin: one that is cut off leaves its outcome in doubt."""
    return min(deadline_seconds / 10, 1.0)


class Carrier:
    """A pool with a deadline. `writes`: its calls change something, so their outcome matters.

    `refuses`: whether a connection of this epoch is not to be used; it is then closed. `waited` is
    told how many seconds each call was without a connection.
    """

    def __init__(
        self,
        pool: BoundedPool,
        *,
        deadline_seconds: float,
        writes: bool,
        refuses: Callable[[str], bool] | None = None,
        waited: Callable[[float], None] = _nobody_asks,
    ) -> None:
        self._pool = pool
        self._waited = waited
        self._deadline_seconds = deadline_seconds
        self._reserve_seconds = reserve(deadline_seconds)
        self._refuses = refuses
        self._writes = writes
        self._in_work = 0
        self._hopes = True

    def give_up(self) -> None:
        """The database will not come back: from now on, no call is worth another attempt."""
        self._hopes = False

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        """All rows. Raises what `carry` raises."""
        return (await self.carry(statement, arguments)).rows

    async def fetchrow(self, statement: str, *arguments: object) -> asyncpg.Record:
        """The one row of a function that always gives one. Raises what `carry` raises."""
        return (await self.carry(statement, arguments)).rows[0]

    async def carry(
        self, statement: str, arguments: Sequence[object], deadline: float | None = None
    ) -> Carried:
        """Raises Problem: what SQL raised, overloaded, not_attempted or outcome_unknown.

        `deadline` is a time of the running loop; without one, deadline_seconds from now.
        """
        if self._in_work >= _MOST_IN_WORK:
            raise Problem("overloaded")
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + self._deadline_seconds
        self._in_work += 1
        try:
            return await self._carry(statement, arguments, deadline)
        finally:
            self._in_work -= 1

    async def _carry(self, statement: str, arguments: Sequence[object], deadline: float) -> Carried:
        loop = asyncio.get_running_loop()
        last_begin = deadline - self._reserve_seconds
        doubtful = False
        pause = FIRST_PAUSE

        while True:
            began_at = loop.time()
            try:
                carried = await self.attempt(statement, arguments, last_begin, deadline)
                return carried._replace(doubtful=doubtful)
            except Failure as exc:
                failure = exc
            except Problem:
                raise
            except Exception as exc:
                if not doubtful:
                    raise
                logger.error("a repeated call failed", extra={"exception": describe(exc)})
                raise Problem("outcome_unknown") from exc
            doubtful = doubtful or (self._writes and failure.doubtful)

            pause = min(2 * pause, LONGEST_PAUSE)
            resumes_at = loop.time() + jittered(pause)
            # Another wait for the same lock must end before the deadline, too.
            needs = loop.time() - began_at if failure.sqlstate == LOCK_TIMEOUT else 0.0
            if not failure.retry or resumes_at >= min(last_begin, deadline - needs):
                raise _given_up(failure, statement, doubtful=doubtful)
            await asyncio.sleep(resumes_at - loop.time())
            if loop.time() >= last_begin:  # a busy machine overslept
                raise _given_up(failure, statement, doubtful=doubtful)

    async def attempt(
        self, statement: str, arguments: Sequence[object], last_begin: float, deadline: float
    ) -> Carried:
        """One call. It begins until `last_begin` or not at all; its connection ends at `deadline`.

        Raises Failure, or Problem for what SQL raised; anything else is a defect.
        """
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        try:
            connection = await self._pool.acquire(timeout=last_begin - began_at)
        except DRIVER_ERRORS as exc:
            raise Failure(exc, doubtful=False, retry=self._hopes) from exc
        self._waited(loop.time() - began_at)
        epoch = epoch_of(connection)
        rows = await self._call(connection, statement, arguments, deadline)
        return Carried(rows, doubtful=False, epoch=epoch)

    async def _call(
        self, connection: Connection, statement: str, arguments: Sequence[object], deadline: float
    ) -> list[asyncpg.Record]:
        """One call on one connection, which is given back or ended, whatever happens."""
        # At the deadline the connection is dropped, not the statement cancelled: a cancel request
        # that met a commit waiting for its standby would make the payment visible, and a retry
        # acknowledge it, before the standby has it.
        timer = asyncio.get_running_loop().call_at(deadline, self._pool.abandon, connection)
        refused = self._refuses is not None and self._refuses(epoch_of(connection))
        warnings = _Warnings() if self._writes else None
        try:
            if warnings is not None:
                connection.add_log_listener(warnings)
            if refused:
                raise ConnectionAbortedError
            rows = await connection.fetch(statement, *arguments)
        except Exception as exc:
            if (state := getattr(exc, "sqlstate", None) or "").startswith("LG"):
                raise self._refusal(exc) from exc
            failure = self._failure(exc, state, connection)
            if not state or state.startswith(CONNECTION_LOST):
                # Not the server's word (that a connection is lost the driver says): who knows
                # what it does.
                self._pool.abandon(connection)
            if failure is None:
                raise
            raise failure from exc
        except BaseException:
            self._pool.abandon(connection)
            raise
        finally:
            timer.cancel()
            await self._give_back(connection, warnings)

        if warnings is not None and warnings.committed_locally:
            raise Failure(None, doubtful=True, retry=False)
        return rows

    def _refusal(self, exc: Exception) -> Problem:
        """What a function raised: its DETAIL is {"code": ..., values}."""
        values = msgspec.json.decode(getattr(exc, "detail", None) or "{}", type=dict[str, Any])
        return Problem(values.pop("code", "internal_error"), values, read=not self._writes)

    def _failure(self, exc: Exception, state: str, connection: Connection) -> Failure | None:
        """What an exception that is no refusal means for the call; None: a defect."""
        if is_infrastructure(exc, connection):
            return Failure(exc, doubtful=state not in _ROLLED_BACK, retry=self._hopes)
        if state.startswith(_SERVER_UNFIT):
            return Failure(exc, doubtful=False, retry=False)
        return None

    async def _give_back(self, connection: Connection, warnings: _Warnings | None) -> None:
        """Never fails: what the call gave stands, whatever becomes of its connection."""
        if warnings is not None:
            with suppress(asyncpg.InterfaceError):  # it has ended
                connection.remove_log_listener(warnings)
        try:
            await self._pool.release(connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # It was ended meanwhile, which has given it back already.
            logger.debug("connection ended while it was given back")


class _Warnings:
    """Hears what the server says beside an answer."""

    __slots__ = ("committed_locally",)

    def __init__(self) -> None:
        self.committed_locally = False

    def __call__(self, _connection: object, message: asyncpg.PostgresLogMessage) -> None:
        if message.sqlstate == _COMMITTED_LOCALLY:
            self.committed_locally = True


class Failure(Exception):
    """An attempt failed. `doubtful`: it may have been carried out. `retry`: it may go well yet."""

    def __init__(self, cause: BaseException | None, *, doubtful: bool, retry: bool) -> None:
        super().__init__()
        self.cause = cause
        self.sqlstate: str | None = getattr(cause, "sqlstate", None)
        self.doubtful = doubtful
        self.retry = retry

    @property
    def name(self) -> str:
        """For the log: the text of an error may hold addresses and values."""
        return self.sqlstate or type(self.cause).__name__


def _given_up(failure: Failure, statement: str, *, doubtful: bool) -> Problem:
    if doubtful:
        code = "outcome_unknown"
    elif failure.sqlstate == LOCK_TIMEOUT:
        code = "account_busy"
    else:
        code = "not_attempted"
    function = statement.partition("(")[0].rpartition(" ")[2]
    logger.warning("gave up", extra={"code": code, "function": function, "cause": failure.name})
    return Problem(code)
