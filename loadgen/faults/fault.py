"""What a fault is."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from loadgen.rig.rig import Rig

CRASH = 30.0
"""Seconds within which PostgreSQL has recovered and the services have found it again."""
QUICK = 12.0
"""For what only a connection notices: a call's deadline, and a bit."""

Burst = Callable[[str], Awaitable[None]]
"""Performs one operation of the scenario that is named."""


@dataclass(frozen=True)
class Scene:
    """What a fault works on."""

    rig: Rig
    random: random.Random
    """Of this injection alone: the same seed breaks the same things."""
    burst: Burst
    accounts: tuple[str, ...]
    """Codes of accounts that the load is moving, the busiest first."""
    note: Callable[[str], None] = lambda _: None
    """Writes an event of the fault into the history."""


Injection = Callable[[Scene], AbstractAsyncContextManager[None]]
"""Breaks something on entry, mends it on exit: what was broken is known in between."""


def possible(_: Rig) -> str | None:
    """Nothing is needed that may be missing."""
    return None


@dataclass(frozen=True)
class Fault:
    """One row of the matrix, or one way to do it."""

    name: str
    row: str
    """Which row of the matrix."""
    inject: Injection
    within: float
    """Seconds after healing within which payments are answered again."""
    seconds: tuple[float, float] = (0.3, 1.6)
    """How long it lasts, from the seed."""
    problem: Callable[[Rig], str | None] = possible
    """Why it cannot be done on this machine, if it cannot."""
    substitute: str = ""
    """Which other fault stands in for it then."""
    loses: bool = False
    """What is acknowledged from its start on may be lost, until it notes `WINDOW_OVER`."""
    serves: bool = False
    """Payments go on during it; then 0 of them answered is a failure by itself."""

    @property
    def slow(self) -> bool:
        """Say whether a server has to recover from it, or a standby to be made anew."""
        return self.within >= CRASH
