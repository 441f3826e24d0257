"""Balances for the cache: each with the epoch it belongs to, from the primary or from a replica."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from service.errors import Problem
from service.ledger.carrier import NO_CONNECTION, Carrier

if TYPE_CHECKING:
    from collections.abc import Callable

    Pool = asyncpg.Pool[asyncpg.Record]

logger = logging.getLogger(__name__)

_BALANCE = (
    "select code, currency, version, balance::text, held::text from ledger.get_balance($1, $2)"
)
# Once it was promoted it is no replica any more: what it has then may be nobody else's.
_REPLICA_BALANCE = f"{_BALANCE} where pg_is_in_recovery()"

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
        self, pool: Pool, *, deadline_seconds: float, refuses: Callable[[str], bool] | None = None
    ) -> None:
        self._carrier = Carrier(
            pool, deadline_seconds=deadline_seconds, writes=False, refuses=refuses
        )

    async def read(self, code: str, ledger_id: int) -> VersionedBalance | None:
        """None: there is no such account. Raises what `Carrier.carry` raises."""
        try:
            carried = await self._carrier.carry(_BALANCE, (code, ledger_id))
        except Problem as problem:
            if problem.code != "unknown_account":
                raise
            return None
        return _versioned(carried.rows[0], carried.epoch)

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
        except NO_CONNECTION as exc:
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
