"""When items start: at a constant rate whatever the answers do, or as clients become free."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

LATE = 0.010
"""Seconds behind its time after which an arrival counts as late."""

Item = TypeVar("Item")
Perform = Callable[[Item, float], Awaitable[object]]
"""Does one item; the second argument is when it was meant to start (perf_counter)."""


class Pace(msgspec.Struct):
    """How well the generator kept to its plan; it is written while the load runs."""

    started: int = 0
    late: int = 0
    latest: float = 0.0
    """Seconds by which the latest arrival was behind."""
    dropped: int = 0
    """Arrivals never sent, because too many were under way."""
    in_flight: int = 0
    seconds: float = 0.0
    """From the first start to the last; what drains afterwards is not in it."""


async def open_model(
    items: Iterator[Item],
    perform: Perform[Item],
    pace: Pace,
    stop: asyncio.Event,
    *,
    rate: float,
    seconds: float,
    most_in_flight: int,
) -> None:
    """Start one item every 1/rate seconds, whether or not earlier ones are done.

    Each is given the time it was meant to start, so waiting in line counts as latency.
    """

    async def run(item: Item, due: float) -> None:
        try:
            await perform(item, due)
        finally:
            pace.in_flight -= 1

    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            due = start + number / rate
            behind = time.perf_counter() - due
            if behind < 0:
                await asyncio.sleep(-behind)
                behind = 0.0
            if stop.is_set():
                break
            item = next(items)
            if pace.in_flight >= most_in_flight:
                pace.dropped += 1
                await asyncio.sleep(0)  # lets those under way get done
                continue
            if behind > LATE:
                pace.late += 1
                pace.latest = max(pace.latest, behind)
            pace.started += 1
            pace.in_flight += 1
            group.create_task(run(item, due))
        pace.seconds = time.perf_counter() - start


async def closed_model(
    items: Iterator[Item],
    perform: Perform[Item],
    pace: Pace,
    stop: asyncio.Event,
    *,
    clients: int,
    seconds: float | None = None,
) -> None:
    """Let each of the clients start its next item when its last one is done."""
    start = time.perf_counter()
    end = start + seconds if seconds is not None else float("inf")

    async def client() -> None:
        while not stop.is_set():
            now = time.perf_counter()
            if now >= end:
                return
            try:
                item = next(items)
            except StopIteration:
                return
            pace.started += 1
            pace.in_flight += 1
            pace.seconds = now - start
            try:
                await perform(item, now)
            finally:
                pace.in_flight -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(client())


async def for_each(
    items: Iterable[Item], work: Callable[[Item], Awaitable[object]], clients: int
) -> None:
    """Do the work for every item, so many at a time; the first failure ends it."""
    try:
        await closed_model(
            iter(items), lambda item, _: work(item), Pace(), asyncio.Event(), clients=clients
        )
    except ExceptionGroup as group:
        raise group.exceptions[0] from None
