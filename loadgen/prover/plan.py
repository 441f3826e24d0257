"""Which faults come when: from the seed alone, so the same seed gives the same schedule."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec

from loadgen.faults.fault import Fault

LEAST_PAUSE, MOST_PAUSE = 0.2, 0.8


class Step(msgspec.Struct, frozen=True):
    """One injection."""

    number: int
    fault: str
    pause: float
    """Seconds of plain load before it."""
    lasts: float
    seed: int
    """Of what the fault chooses for itself."""


def plan(seed: int, faults: Sequence[Fault]) -> Iterator[Step]:
    """Give injections without end, round by round, each round in a new order.

    What is slow comes in every other round: it takes as long as two or three of the others, and
    the load would be away for most of the time.
    """
    rng = random.Random(f"faults {seed}")
    quick = [fault for fault in faults if not fault.slow]
    slow = [fault for fault in faults if fault.slow]
    left: list[Fault] = []
    number = 0
    while True:
        left = left or rng.sample(slow, len(slow))
        half = (len(slow) + 1) // 2
        some, left = left[:half], left[half:]
        for fault in rng.sample([*quick, *some], len(quick) + len(some)):
            number += 1
            yield Step(
                number,
                fault.name,
                round(rng.uniform(LEAST_PAUSE, MOST_PAUSE), 3),
                round(rng.uniform(*fault.seconds), 3),
                rng.randrange(2**32),
            )
