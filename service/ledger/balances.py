"""Balances for the cache: each with the epoch it belongs to, from the primary or from a replica."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from service.database.connections import DRIVER_ERRORS
from service.errors import Problem
from service.gathering import Gathering
from service.ledger.carrier import Carrier

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from service.database.bounded import BoundedPool

    Pool = asyncpg.Pool[asyncpg.Record]

logger = logging.getLogger(__name__)

_COLUMNS = "code, currency, version, balance::text, held::text"
_BALANCE = f"select {_COLUMNS} from ledger.get_balance($1, $2)"  # noqa: S608
_BALANCES = f"select {_COLUMNS} from ledger.get_balances($1, $2)"  # noqa: S608
# Once it was promoted it is no replica any more: what it has then may be nobody else's.
_REPLICA_BALANCE = f"{_BALANCE} where pg_is_in_recovery()"

# A call for more would hold up those behind it.
_MOST_A_CALL = 200

# More could only time out.
_MOST_WAITING = 2_000

# The primary is as near: a replica that lets one wait has no use.
REPLICA_SECONDS = 0.5


class VersionedBalance(NamedTuple):
    """An account as of a version of a history."""

    code: str
    currency: str
    version: int
    balance: str
    held: str
    epoch: str


class PrimaryBalances:
    """The ledger's own word.

    `refuses`: whether a connection of this epoch is not to be used; it is then closed.
    """

    def __init__(
        self,
        pool: BoundedPool,
        *,
        deadline_seconds: float,
        refuses: Callable[[str], bool] | None = None,
    ) -> None:
        self._carrier = Carrier(
            pool, deadline_seconds=deadline_seconds, writes=False, refuses=refuses
        )
        self._deadline_seconds = deadline_seconds
        self._reads = Gathering(self._read_many, most=_MOST_A_CALL)
        self._waiting = 0

    async def read(self, code: str, ledger_id: int) -> VersionedBalance | None:
        """As of a moment after this call; None: there is no such account.

        Those who read while another call is under way are answered by one. Raises what
        `Carrier.carry` raises.
        """
        if self._waiting >= _MOST_WAITING:
            raise Problem("overloaded")
        deadline = asyncio.get_running_loop().time() + self._deadline_seconds
        self._waiting += 1
        try:
            balance = await self._reads.answer(ledger_id, (code, deadline))
        finally:
            self._waiting -= 1
        return balance or await self._read_alone(code, ledger_id, deadline)

    async def _read_alone(
        self, code: str, ledger_id: int, deadline: float
    ) -> VersionedBalance | None:
        """What was not among the others: SQL says why."""
        try:
            carried = await self._carrier.carry(_BALANCE, (code, ledger_id), deadline)
        except Problem as problem:
            if problem.code != "unknown_account":
                raise
            return None
        return _versioned(carried.rows[0], carried.epoch)

    async def _read_many(
        self, ledger_id: int, questions: Sequence[tuple[str, float]]
    ) -> list[VersionedBalance | None]:
        """Of each (code, deadline), which are in the order of their deadlines."""
        codes = [code for code, _ in questions]
        _, deadline = questions[0]
        carried = await self._carrier.carry(_BALANCES, (codes, ledger_id), deadline)
        found = {row[0]: _versioned(row, carried.epoch) for row in carried.rows}
        return [found.get(code) for code in codes]

    def give_up(self) -> None:
        """The database will not come back: whoever waits for it is told so."""
        self._carrier.give_up()

    async def close(self) -> None:
        """End what is being read."""
        await self._reads.close()

    async def read_version(
        self, code: str, version: int, ledger_id: int
    ) -> VersionedBalance | None:
        """The account as its entries say it was; None: it has no such entry."""
        carried = await self._carrier.carry(
            "select a.code, a.currency, e.version, e.balance_after::text, e.held_after::text"
            " from ledger.get_account($1, $3) a, ledger.list_entries($1, $2::bigint + 1, 1, $3) e"
            " where e.version = $2",
            (code, version, ledger_id),
        )
        return _versioned(carried.rows[0], carried.epoch) if carried.rows else None


class ReplicaBalances:
    """A replica's word, where it is known to be new enough."""

    def __init__(self, pool: Pool, *, seconds: float = REPLICA_SECONDS) -> None:
        self._pool = pool
        self._seconds = seconds

    async def read(
        self, code: str, ledger_id: int, *, epoch: str, generation: str
    ) -> ReplicaRead | None:
        """The account, and how far the replica had come before it was read.

        It must have come to where the relay wrote its `generation`, which is a random word: a
        position alone means nothing on a replica that went another way than the primary.

        None: that is not so, or it has no such account (yet), or it cannot be asked.
        """
        try:
            async with asyncio.timeout(self._seconds), self._pool.acquire() as connection:
                # Apart, and before the row: what was replayed between the two is then in the row.
                position = await connection.fetchrow(
                    "select lsn from ledger.replica_position() where generation = $1", generation
                )
                if position is None or position["lsn"] is None:
                    return None
                row = await connection.fetchrow(_REPLICA_BALANCE, code, ledger_id)
        except DRIVER_ERRORS as exc:
            logger.debug("no answer from the replica", extra={"cause": type(exc).__name__})
            return None
        return None if row is None else ReplicaRead(_versioned(row, epoch), position["lsn"])


class ReplicaRead(NamedTuple):
    """`lsn`: everything up to there is in the balance."""

    balance: VersionedBalance
    lsn: int


def _versioned(row: asyncpg.Record, epoch: str) -> VersionedBalance:
    code, currency, version, balance, held = row
    return VersionedBalance(code, currency, version, balance, held, epoch)
