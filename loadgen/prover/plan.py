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
    """Give injections without end: every fault once in a new order, then all of them again."""
    rng = random.Random(f"faults {seed}")
    number = 0
    while True:
        for fault in rng.sample(faults, len(faults)):
            number += 1
            yield Step(
                number,
                fault.name,
                round(rng.uniform(LEAST_PAUSE, MOST_PAUSE), 3),
                round(rng.uniform(*fault.seconds), 3),
                rng.randrange(2**32),
            )
