"""Rounds in which contenders take turns, and the arithmetic over them.

A machine drifts by tens of percent within minutes. Two things that took turns have drifted
together, so what is reported is the median of the ratios within each round, never a ratio of two
medians.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Contender = Callable[[float], float]
"""Works for so many seconds; gives what it did in a second."""

MINIMUM_SECONDS = 0.2


class BenchFailed(Exception):
    """A figure could not be had; the others still can."""


@dataclass(frozen=True)
class Rounds:
    """Of each contender its figure in each round."""

    figures: Mapping[str, tuple[float, ...]]

    def ratio(self, measured: str, yardstick: str) -> float:
        """The median over rounds of measured / yardstick."""
        pairs = zip(self.figures[measured], self.figures[yardstick], strict=True)
        return statistics.median(m / y for m, y in pairs)

    def median(self, contender: str) -> float:
        """For absolute figures, which are of this machine at this hour."""
        return statistics.median(self.figures[contender])


def take_turns(contenders: Mapping[str, Contender], rounds: int, seconds: float) -> Rounds:
    """One figure of each a round, after a short one that does not count.

    Every other round goes backwards, so that none always follows the same other one.
    """
    for contender in contenders.values():
        contender(max(MINIMUM_SECONDS, seconds / 3))
    figures: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        order = list(contenders)
        for name in order if number % 2 == 0 else reversed(order):
            figures[name].append(contenders[name](seconds))
    return Rounds({name: tuple(of_one) for name, of_one in figures.items()})


def percentile(samples: Sequence[float], percent: float) -> float:
    """The smallest sample that at least so many percent of all do not exceed."""
    if not samples:
        raise BenchFailed("there are no samples")
    return sorted(samples)[max(0, math.ceil(len(samples) * percent / 100) - 1)]
