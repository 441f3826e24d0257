"""Compares a sample of what was served with the ledger as of that version.

The cache is made so that it cannot be wrong; this would say if it were.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Protocol

from service.cache.model import without_epoch
from service.errors import Problem

if TYPE_CHECKING:
    from service.cache.counters import Counters
    from service.cache.model import AccountKey, Served
    from service.ledger.balances import VersionedBalance

logger = logging.getLogger(__name__)

_MOST_WAITING = 1_000
_NEVER_CHANGED = ("0", "0")  # what an account of version 0 holds


class Entries(Protocol):
    """service.ledger.balances.PrimaryBalances."""

    async def read_version(  # noqa: D102
        self, code: str, version: int, ledger_id: int
    ) -> VersionedBalance | None: ...


class Auditor:
    """`sample` what is served, `audit` now and then."""

    def __init__(self, entries: Entries, counters: Counters) -> None:
        self._counters = counters
        self._entries = entries
        self._waiting: deque[tuple[AccountKey, Served]] = deque(maxlen=_MOST_WAITING)

    def sample(self, key: AccountKey, served: Served) -> None:
        """Look at this one later; the oldest that waits gives way."""
        self._waiting.append((key, served))

    async def audit(self) -> int:
        """Look at all that wait. How many were not what the ledger says.

        Raises nothing of the database's: what cannot be looked at is left out.
        """
        wrong = 0
        while self._waiting:
            key, served = self._waiting.popleft()
            try:
                wrong += not await self._is_right(key, served)
            except Problem as problem:
                logger.debug("could not audit", extra={"code": problem.code})
        return wrong

    async def _is_right(self, key: AccountKey, served: Served) -> bool:
        balance = served.balance
        if balance.version == 0:
            right = (balance.balance, balance.held) == _NEVER_CHANGED
        else:
            there = await self._entries.read_version(key.code, balance.version, key.ledger_id)
            if there is not None and there.epoch != served.epoch:
                return True  # of another history: nothing can be said
            right = there is not None and without_epoch(there) == balance
        self._counters.audited += 1
        if not right:
            self._counters.audit_mismatches += 1
            logger.error(
                "a balance was served that the ledger does not have",
                extra={
                    "account": key.code,
                    "ledger_id": key.ledger_id,
                    "version": balance.version,
                    "layer": served.layer,
                    "epoch": served.epoch,
                },
            )
        return right
