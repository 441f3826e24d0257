"""Time that passes when the test says so."""

from __future__ import annotations


class Clock:
    """For whatever takes a clock."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += seconds
