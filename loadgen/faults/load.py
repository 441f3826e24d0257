"""Faults that are load: very many of the same at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadgen.faults.fault import Injection, Scene


def bursts(scenario: str, at_once: int) -> Injection:
    """Operations of one scenario, so many at a time, for as long as it lasts."""

    @asynccontextmanager
    async def inject(scene: Scene) -> AsyncIterator[None]:
        async def again_and_again() -> None:
            while not over.is_set():
                await scene.burst(scenario)

        over = asyncio.Event()
        tasks = [asyncio.create_task(again_and_again()) for _ in range(at_once)]
        yield
        over.set()
        await asyncio.gather(*tasks)

    return inject
