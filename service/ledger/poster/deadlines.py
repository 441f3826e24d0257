"""Timers by the handful: whoever must end at much the same time shares one.

A timer for each payment was 7 % of what a worker did.
"""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

GRAIN_SECONDS = 0.02  # an end comes so much late, at most


class Ending(Protocol):
    """What has to end at its deadline, a time of the running loop."""

    deadline: float

    def expire(self) -> None:
        """Called once, unless it was discarded before."""


class Deadlines:
    """Those that have not come yet."""

    def __init__(self) -> None:
        self._due: dict[int, set[Ending]] = {}

    def add(self, ending: Ending) -> None:
        """Its `expire` will be called."""
        moment = _moment(ending)
        due = self._due.get(moment)
        if due is None:
            due = self._due[moment] = set()
            asyncio.get_running_loop().call_at(moment * GRAIN_SECONDS, self._expire, moment)
        due.add(ending)

    def discard(self, ending: Ending) -> None:
        """It has ended by itself."""
        self._due.get(_moment(ending), set()).discard(ending)

    def _expire(self, moment: int) -> None:
        loop = asyncio.get_running_loop()
        for ending in self._due.pop(moment):
            loop.call_soon(ending.expire)  # one that fails does not keep the others from it


def _moment(ending: Ending) -> int:
    return math.ceil(ending.deadline / GRAIN_SECONDS)
