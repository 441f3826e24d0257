"""Faults of the services' processes."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from loadgen.faults.fault import Scene
from loadgen.rig.programs import RigFailed, faketime_library, send
from loadgen.rig.rig import Rig


@asynccontextmanager
async def killed(scene: Scene) -> AsyncIterator[None]:
    """One service is killed with what it was doing, and started again."""
    service = scene.random.choice(scene.rig.services)
    await service.kill()
    yield
    await service.start()


@asynccontextmanager
async def stopped(scene: Scene) -> AsyncIterator[None]:
    """One service stands still, then goes on as if no time had passed."""
    service = scene.random.choice(scene.rig.services)
    service.signal(signal.SIGSTOP)
    yield
    service.signal(signal.SIGCONT)


@asynccontextmanager
async def relay_killed(scene: Scene) -> AsyncIterator[None]:
    """The worker that is the relay is killed: another one leads, and it is started again."""
    send(relay_of(scene.rig), signal.SIGKILL)
    yield


@asynccontextmanager
async def relay_stopped(scene: Scene) -> AsyncIterator[None]:
    """The relay stands still for longer than its lease, and then goes on as if it led."""
    relay = relay_of(scene.rig)
    send(relay, signal.SIGSTOP)
    yield
    send(relay, signal.SIGCONT)


def relay_of(rig: Rig) -> int:
    """Give the process that became the relay last, as the services' logs tell."""
    (_, number), service = max(
        ((service.led(), service) for service in rig.services), key=lambda found: found[0]
    )
    pid = service.worker(number)
    if pid is None:
        raise RigFailed(f"the relay, worker {number} of {service.name}, is not there")
    return pid


@asynccontextmanager
async def restarted(scene: Scene) -> AsyncIterator[None]:
    """One service is ended in order, as for a new release."""
    service = scene.random.choice(scene.rig.services)
    await service.stop()
    yield
    await service.start()


@asynccontextmanager
async def clock_off(scene: Scene) -> AsyncIterator[None]:
    """One service's clock is an hour before or after the true time."""
    service = scene.random.choice(scene.rig.services)
    await service.kill()
    await service.start(
        {
            "LD_PRELOAD": str(faketime_library()),
            "FAKETIME": scene.random.choice(("-3600", "+3600")),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    )
    yield
    await service.kill()
    await service.start()
