"""Reads of one account share a flight; nobody is answered by one that began too early for him."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class Need(NamedTuple):
    """What a reader asks of a flight.

    `fresh`: the primary's word. `current`: all that was heard, as no version says what will do.
    """

    min_version: int
    fresh: bool
    current: bool

    def covers(self, other: Need) -> bool:
        """Whether what satisfies this satisfies the other."""
        return self.joined_with(other) == self

    def joined_with(self, other: Need) -> Need:
        """What satisfies both."""
        return Need(
            max(self.min_version, other.min_version),
            self.fresh or other.fresh,
            self.current or other.current,
        )


class _Flight(Generic[V]):
    """`began`: its place in the order of arrivals and beginnings; 0: it has not begun."""

    __slots__ = ("began", "landing", "need")

    def __init__(self, need: Need, landing: asyncio.Future[V]) -> None:
        self.began = 0
        self.need = need
        self.landing = landing


class Flights(Generic[K, V]):
    """One flight a key in the air, and at most one waiting for it to land."""

    def __init__(self, fly: Callable[[K, Need], Awaitable[V]]) -> None:
        self._fly = fly
        self._order = itertools.count(1)
        self._flying: dict[K, _Flight[V]] = {}
        self._waiting: dict[K, _Flight[V]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._flying) + len(self._waiting)

    async def join_older(self, key: K) -> V | None:
        """The outcome of the flight in the air, which began before this call; None: there is none.

        Raises what it raised.
        """
        flight = self._flying.get(key)
        if flight is None:
            return None
        return await _landing(flight)

    async def join_newer(self, key: K, need: Need, arrived: int) -> V:
        """The outcome of a flight that began after `arrived` and serves `need`.

        Raises what it raised.
        """
        flying = self._flying.get(key)
        if flying is not None and flying.began > arrived and flying.need.covers(need):
            return await _landing(flying)
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.need = waiting.need.joined_with(need)
            return await _landing(waiting)

        flight: _Flight[V] = _Flight(need, asyncio.get_running_loop().create_future())
        flight.landing.add_done_callback(_hear)  # those who asked may all be gone by then
        if flying is None:
            self._begin(key, flight)
        else:
            self._waiting[key] = flight
        return await _landing(flight)

    def arrive(self) -> int:
        """A place in the order of arrivals and beginnings."""
        return next(self._order)

    def _begin(self, key: K, flight: _Flight[V]) -> None:
        flight.began = next(self._order)
        self._flying[key] = flight
        task = asyncio.create_task(self._run(key, flight))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, key: K, flight: _Flight[V]) -> None:
        try:
            value = await self._fly(key, flight.need)
        except asyncio.CancelledError:
            flight.landing.cancel()
            raise
        except Exception as exc:  # noqa: BLE001 -- whoever joined gets it
            flight.landing.set_exception(exc)
        else:
            flight.landing.set_result(value)
        finally:
            del self._flying[key]
            following = self._waiting.pop(key, None)
            if following is not None:
                self._begin(key, following)

    async def close(self) -> None:
        """End what is in the air."""
        for flight in self._waiting.values():
            flight.landing.cancel()
        self._waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _landing(flight: _Flight[V]) -> V:
    """A reader who goes away takes nobody else's flight with him."""
    return await asyncio.shield(flight.landing)


def _hear(landing: asyncio.Future[V]) -> None:
    if not landing.cancelled():
        landing.exception()
