"""What the relay does besides, on another connection: partitions, expired keys, a look around.

Each of it may wait for locks or take long. The loop that tells of changes never waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from service.database.connections import DatabaseError
from service.database.relaying import ChoreSession, chore_session
from service.errors import Problem

if TYPE_CHECKING:
    from service.relay.counters import RelayCounters

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
PURGE_SECONDS = 600.0  # the last call of each purge reads all keys
PARTITIONS_SECONDS = 600.0
POSTPONED_SECONDS = 30.0  # partitions that were locked

_KEYS_A_CALL = 10_000  # rows locked and deleted in one transaction
_PAUSE_AFTER_FAILURE = 5.0


class Chores:
    """Runs as long as this process leads."""

    def __init__(self, dsn: str, counters: RelayCounters) -> None:
        self._counters = counters
        self._dsn = dsn
        self._partitions_due = 0.0
        self._purge_due = 0.0
        self._oldest_xid = 0
        self._oldest_xid_since = 0.0

    async def run(self) -> None:
        """Until it is cancelled; never raises of itself."""
        while True:
            try:
                async with chore_session(self._dsn) as session:
                    while True:
                        await self._round(session)
                        await asyncio.sleep(LOOK_SECONDS)
            except (DatabaseError, Problem) as exc:
                self._counters.chore_failures += 1
                logger.warning("the relay's chores failed", extra={"cause": str(exc)})
            await asyncio.sleep(_PAUSE_AFTER_FAILURE)

    async def _round(self, session: ChoreSession) -> None:
        await self._look(session)
        if time.monotonic() >= self._partitions_due:
            await self._maintain_partitions(session)
        if time.monotonic() >= self._purge_due:
            await self._purge(session)

    async def _look(self, session: ChoreSession) -> None:
        vitals = await session.read_vitals()
        now = time.monotonic()
        # Of other logins' transactions only this is seen without pg_read_all_stats: that the oldest
        # one with an id of its own stays the same.
        if vitals.oldest_running_xid != self._oldest_xid:
            self._oldest_xid, self._oldest_xid_since = vitals.oldest_running_xid, now
        runs = vitals.oldest_running_xid < vitals.next_xid
        self._counters.oldest_transaction_seconds = max(
            vitals.oldest_transaction_seconds, now - self._oldest_xid_since if runs else 0.0
        )
        self._counters.notification_queue_usage = vitals.queue_usage

    async def _maintain_partitions(self, session: ChoreSession) -> None:
        done = await session.maintain_partitions()
        postponed = any(action.startswith("postponed") for _, action in done)
        self._counters.partitions_made += sum(action == "created" for _, action in done)
        for partition, action in done:
            logger.info("partition", extra={"partition": partition, "action": action})
        self._partitions_due = time.monotonic() + (
            POSTPONED_SECONDS if postponed else PARTITIONS_SECONDS
        )

    async def _purge(self, session: ChoreSession) -> None:
        """A portion; the next one in the next round, if there is more."""
        purged = await session.purge_idempotency_keys(_KEYS_A_CALL)
        self._counters.keys_purged += purged
        if purged < _KEYS_A_CALL:
            self._purge_due = time.monotonic() + PURGE_SECONDS
