"""Payments that a locked account holds up, apart from all others.

Each locked account has a lane. While it is blocked, one payment after another is sent ahead to see
whether the account is free again, with pauses: a call that waits for one row may hold others, and
those who need them wait with it. New payments on the account join the lane without being tried.
When one gets through, the rest follows in full calls, and new ones go the usual way again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import TYPE_CHECKING

from service.errors import describe
from service.ledger.poster.parcels import State
from service.ledger.poster.queues import MOST_ITEMS_A_CALL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.ledger.poster.calls import Calls, Held
    from service.ledger.poster.parcels import Item

logger = logging.getLogger(__name__)

# Beside the calls of the dispatcher, so that these are never held up.
CALLS_IN_FLIGHT = 4

LOCK_TIMEOUT_MS = 30
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 0.25


class _Lane:
    __slots__ = ("blocked", "items")

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.blocked = True


class Lanes:
    """Every lane, by ledger and account. A lane ends when it is empty."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._lanes: dict[tuple[int, str], _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(CALLS_IN_FLIGHT)

    def __len__(self) -> int:
        return len(self._lanes)

    def put(self, ledger_id: int, held: Iterable[Held]) -> None:
        """Each at the end of its account's lane."""
        for account, item in held:
            key = (ledger_id, account)
            lane = self._lanes.get(key)
            if lane is None:
                lane = self._lanes[key] = _Lane()
                task = asyncio.create_task(self._run(key, lane))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            item.state = State.BUSY
            lane.items.append(item)

    def divert(self, ledger_id: int, items: list[Item]) -> list[Item]:
        """Takes those on blocked accounts, and returns the others."""
        if not self._lanes:
            return items
        free = []
        for item in items:
            for account in item.accounts:
                lane = self._lanes.get((ledger_id, account))
                if lane is not None and lane.blocked:
                    item.state = State.BUSY
                    lane.items.append(item)
                    break
            else:
                free.append(item)
        return free

    async def close(self) -> None:
        """Ends what is in flight; its payments are left to their deadline."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, key: tuple[int, str], lane: _Lane) -> None:
        pause = _FIRST_PAUSE
        try:
            while items := _next(lane):
                if await self._advance(key, lane, items):
                    pause = _FIRST_PAUSE
                    continue
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            del self._lanes[key]

    async def _advance(self, key: tuple[int, str], lane: _Lane, items: list[Item]) -> bool:
        """Whether the account was free."""
        ledger_id, account = key
        try:
            async with self._slots:
                held = await self._calls.post(
                    ledger_id, items, lock_timeout_ms=LOCK_TIMEOUT_MS, resting=State.BUSY
                )
        except Exception as exc:  # noqa: BLE001 -- the lane goes on
            logger.error("defect", extra={"exception": describe(exc)})
            for item in items:
                item.give_up()
            return False
        still = [item for name, item in held if name == account]
        lane.items.extendleft(reversed(still))
        lane.blocked = bool(still)
        # Others hold those up: they have lanes of their own.
        self.put(ledger_id, [found for found in held if found.account != account])
        return not still


def _next(lane: _Lane) -> list[Item]:
    """One to look ahead while the lane is blocked; all that fit in a call when it is not."""
    most = 1 if lane.blocked else MOST_ITEMS_A_CALL
    items: list[Item] = []
    while lane.items and len(items) < most:
        item = lane.items.popleft()
        if item.state is not State.GONE:
            items.append(item)
    return items
