"""Answers that may be a little old, bounded in number, asked for once at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

K = TypeVar("K")
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """At most `most` answers, none older than `seconds`, counted from when it was asked for."""

    def __init__(self, load: Callable[[K], Awaitable[V]], *, seconds: float, most: int) -> None:
        self._load = load
        self._seconds = seconds
        self._most = most
        self._answers: dict[K, tuple[V, float]] = {}  # the oldest first
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K) -> V:
        """Raises what `load` raises; that is not kept."""
        now = asyncio.get_running_loop().time()
        answer = self._answers.get(key)
        if answer is not None and answer[1] > now:
            return answer[0]

        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, now + self._seconds))
            flight.add_done_callback(_hear)  # those who asked may all be gone by then
            self._flights[key] = flight
        return await asyncio.shield(flight)

    def peek(self, key: K) -> V | None:
        """What `get` would answer without asking; None if it would have to ask."""
        answer = self._answers.get(key)
        if answer is None or answer[1] <= asyncio.get_running_loop().time():
            return None
        return answer[0]

    def forget(self, key: K) -> None:
        """The next `get` asks anew."""
        self._answers.pop(key, None)

    async def _fly(self, key: K, expires_at: float) -> V:
        try:
            value = await self._load(key)
        finally:
            del self._flights[key]
        self._answers.pop(key, None)
        while len(self._answers) >= self._most:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = (value, expires_at)
        return value


def _hear(flight: asyncio.Task[V]) -> None:
    if not flight.cancelled():
        flight.exception()
