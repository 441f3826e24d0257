"""Faults of the wires: between clients, services, PostgreSQL and Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from loadgen.faults.fault import Injection, Scene
from loadgen.proxy.wire import Wire

Choose = Callable[[Scene], Wire]


def to_postgres(scene: Scene) -> Wire:
    """Give the wire between the services and PostgreSQL."""
    return scene.rig.wire


def to_service(scene: Scene) -> Wire:
    """Give the wire between the clients and one of the services."""
    return scene.random.choice(scene.rig.service_wires)


def to_valkey(scene: Scene) -> Wire:
    """Give the wire between the services and Valkey."""
    wire = scene.rig.valkey_wire
    if wire is None:
        raise RuntimeError("there is no Valkey")
    return wire


def cut(choose: Choose) -> Injection:
    """Connections end, and nobody answers."""

    @asynccontextmanager
    async def inject(scene: Scene) -> AsyncIterator[None]:
        wire = choose(scene)
        await wire.cut()
        yield
        await wire.mend()

    return inject


def silent(choose: Choose) -> Injection:
    """A black hole: connections stay, and nothing comes through."""

    @asynccontextmanager
    async def inject(scene: Scene) -> AsyncIterator[None]:
        wire = choose(scene)
        wire.silence()
        yield
        await wire.mend()

    return inject


def resets(choose: Choose) -> Injection:
    """Every connection is reset, again and again."""

    @asynccontextmanager
    async def inject(scene: Scene) -> AsyncIterator[None]:
        wire = choose(scene)

        async def again_and_again() -> None:
            while True:
                await wire.reset()
                await asyncio.sleep(scene.random.uniform(0.05, 0.3))

        task = asyncio.create_task(again_and_again())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    return inject


def slow(choose: Choose, seconds: float) -> Injection:
    """Everything is late."""

    @asynccontextmanager
    async def inject(scene: Scene) -> AsyncIterator[None]:
        wire = choose(scene)
        wire.delay = seconds
        yield
        await wire.mend()

    return inject


@asynccontextmanager
async def answers_lost(scene: Scene) -> AsyncIterator[None]:
    """The answers to some payments are lost after their commit."""
    wire = scene.rig.wire
    wire.drop_answers(scene.random.randint(1, 8), posts)
    await wire.an_answer_dropped()
    yield
    await wire.mend()


def posts(statement: str) -> bool:
    """Say whether a statement posts payments."""
    text = statement.lower()
    return "ledger.post_" in text
