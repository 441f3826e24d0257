"""What was found wrong: counted by rule, the first of each rule with all its evidence."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec


class Breach(msgspec.Struct, frozen=True):
    """A promise that was not kept."""

    oracle: str
    """O1 to O7."""
    rule: str
    says: str
    key: str | None = None
    account: str | None = None
    payment: str | None = None
    lines: tuple[int, ...] = ()
    """Offsets in the history."""
    evidence: dict[str, Any] = {}


class Findings:
    """All breaches, of which the first of each rule are kept."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.first: list[Breach] = []

    def add(self, breach: Breach) -> None:
        """Take one in."""
        self.counts[breach.oracle, breach.rule] += 1
        if self.counts[breach.oracle, breach.rule] == 1:
            self.first.append(breach)

    @property
    def sound(self) -> bool:
        """Say whether nothing was found."""
        return not self.counts
