"""Of several requests with one key in this process, one at a time asks the database."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TypeAlias

Key: TypeAlias = tuple[int, str]  # ledger_id, idempotency key


class KeysInWork:
    """First come, first served, for each key.

    The database would keep duplicates apart by itself, but each would hold a connection while it
    waits for the first one's locks: a client that retries eagerly could take the whole pool.
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
