"""Faults by SQL, as far as they need no server."""

from __future__ import annotations

import asyncio
import random
from types import SimpleNamespace
from typing import cast

from loadgen.faults.fault import Scene
from loadgen.faults.sessions import reverse_locks
from loadgen.rig.rig import Rig

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


async def test_the_payments_among_the_deadlocks_come_to_their_end() -> None:
    """One that is cancelled on its way is asked for by nobody any more: the checker would tell."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def burst(scenario: str) -> None:
        begun.set()
        await go_on.wait()
        ended.append(scenario)

    rig = SimpleNamespace(primary=SimpleNamespace(dsn=lambda: NOWHERE))
    scene = Scene(cast(Rig, rig), random.Random(1), burst, ("hot", "a", "b"))
    fault = reverse_locks(scene)
    await fault.__aenter__()
    await begun.wait()
    healing = asyncio.create_task(fault.__aexit__(None, None, None))
    await asyncio.sleep(0)
    assert not healing.done()
    go_on.set()
    await healing
    assert ended == ["rings"]
