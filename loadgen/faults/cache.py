"""Faults of Valkey: it may be gone, empty, full or old; payments never notice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadgen.faults.fault import Scene
from loadgen.rig.rig import Rig
from loadgen.rig.valkey import Valkey


@asynccontextmanager
async def killed(scene: Scene) -> AsyncIterator[None]:
    """It is killed and comes back empty."""
    valkey = _valkey(scene)
    await valkey.kill()
    yield
    await valkey.start()


@asynccontextmanager
async def stopped(scene: Scene) -> AsyncIterator[None]:
    """It stands still with its connections open."""
    valkey = _valkey(scene)
    valkey.signal(signal.SIGSTOP)
    yield
    valkey.signal(signal.SIGCONT)


@asynccontextmanager
async def flushed(scene: Scene) -> AsyncIterator[None]:
    """All that it holds is thrown away, again and again."""
    valkey = _valkey(scene)

    async def again_and_again() -> None:
        while True:
            await valkey.ask("FLUSHALL")
            await asyncio.sleep(0.05)

    task = asyncio.create_task(again_and_again())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def evicting(scene: Scene) -> AsyncIterator[None]:
    """It has hardly any memory, and throws things away as they come."""
    valkey = _valkey(scene)
    await valkey.ask("CONFIG", "SET", "maxmemory", "1mb")
    yield
    await valkey.ask("CONFIG", "SET", "maxmemory", "64mb")


@asynccontextmanager
async def old_data(scene: Scene) -> AsyncIterator[None]:
    """It comes back with what it held a while ago."""
    valkey = _valkey(scene)
    await valkey.ask("SAVE")
    yield
    await valkey.kill()
    await valkey.start()
    await asyncio.to_thread(valkey.forget_saved)


def needs_valkey(rig: Rig) -> str | None:
    """Say why there is no Valkey."""
    return None if rig.valkey else "needs a Valkey or Redis server"


def _valkey(scene: Scene) -> Valkey:
    if scene.rig.valkey is None:
        raise RuntimeError("there is no Valkey")
    return scene.rig.valkey
