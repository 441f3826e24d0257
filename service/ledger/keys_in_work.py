"""Of several requests with one key in this process, one at a time asks the database."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection

Key: TypeAlias = tuple[int, str]  # ledger_id, idempotency key


class KeysInWork:
    """First come, first served, for each key.

    The database would keep duplicates apart by itself, but each would travel with a call of its
    own, and hold that up while it waits for the first one's locks.
    """

    def __init__(self) -> None:
        self._waiting: dict[Key, deque[asyncio.Future[None]] | None] = {}

    async def enter(self, key: Key, deadline: float) -> bool:
        """True: the key is the caller's until `leave`. False: the deadline came first."""
        if key not in self._waiting:
            self._waiting[key] = None
            return True

        queue = self._waiting[key]
        if queue is None:
            queue = self._waiting[key] = deque()
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
                await turn
        except TimeoutError:
            if not turn.cancelled():
                return True  # its turn came with the deadline
            _remove(queue, turn)
            return False
        except asyncio.CancelledError:
            if turn.cancelled():
                _remove(queue, turn)
            else:
                self.leave(key)
            raise
        return True

    def enter_at_once(self, keys: Collection[Key]) -> bool:
        """All of them, or none: False when one is in use."""
        for key in keys:
            if key in self._waiting:
                return False
        for key in keys:
            self._waiting[key] = None
        return True

    async def enter_all(self, keys: Collection[Key], deadline: float) -> set[Key]:
        """Enters all of them as soon as none is in use. What is in use at the deadline is left
        out, and returned.

        Nobody holds one key while waiting for another, so nobody waits in a circle.
        """
        wanted = set(keys)
        while (awaited := next((key for key in wanted if key in self._waiting), None)) is not None:
            if not await self.enter(awaited, deadline):
                break
            if self.enter_at_once(wanted - {awaited}):
                return set()
            self.leave(awaited)
        in_use = {key for key in wanted if key in self._waiting}
        self.enter_at_once(wanted - in_use)
        return in_use

    def leave(self, key: Key) -> None:
        """Hands the key to the one who waits longest."""
        queue = self._waiting[key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]


def _remove(queue: deque[asyncio.Future[None]], turn: asyncio.Future[None]) -> None:
    with suppress(ValueError):  # `leave` has passed over it already
        queue.remove(turn)
