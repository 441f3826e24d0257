"""What happened when: every attempt's end, for the table and the page."""

from __future__ import annotations

import time
from array import array
from bisect import bisect_left
from collections import Counter

from loadgen.history import Outcome

_CLASSES = ("posted", "replayed", "refused", "unknown")


class Timeline:
    """Ends of attempts in the order of time: 13 bytes each, so ten minutes fit in memory."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self._at = array("d")
        self._seconds = array("f")
        self._class = array("b")
        self.offered: Counter[int] = Counter()
        """Operations due, by second."""
        self.dropped: Counter[int] = Counter()
        """Operations never started, because too many were under way, by second."""

    def ended(self, outcome: Outcome, replayed: bool, seconds: float) -> None:
        """Take note of an attempt's end."""
        if outcome is Outcome.UNKNOWN:
            kind = 3
        elif replayed:
            kind = 1
        else:
            kind = 0 if outcome is Outcome.POSTED else 2
        self._at.append(self.now())
        self._seconds.append(seconds)
        self._class.append(kind)

    def now(self) -> float:
        """Give the seconds since the load began."""
        return time.perf_counter() - self.began

    def definite_between(self, start: float, end: float) -> int:
        """Count the definite answers that came in a stretch of time."""
        low, high = bisect_left(self._at, start), bisect_left(self._at, end)
        return sum(kind != 3 for kind in self._class[low:high])

    def percentile(self, share: float, start: float = 0.0, end: float = float("inf")) -> float:
        """Give a percentile, in ms, of the definite answers that came in a stretch of time."""
        low, high = bisect_left(self._at, start), bisect_left(self._at, end)
        found = sorted(
            self._seconds[place] for place in range(low, high) if self._class[place] != 3
        )
        if not found:
            return 0.0
        return found[min(len(found) - 1, int(share * len(found)))] * 1000

    def by_second(self) -> list[dict[str, float]]:
        """Give, for each second, what ended in it and how fast."""
        rows = []
        last = int(self._at[-1]) if self._at else 0
        low = 0
        for second in range(last + 1):
            high = bisect_left(self._at, second + 1, low)
            counts = Counter(self._class[low:high])
            known = sorted(self._seconds[p] for p in range(low, high) if self._class[p] != 3)
            row: dict[str, float] = {"second": second}
            row |= {name: counts[number] for number, name in enumerate(_CLASSES)}
            for name, share in (("p50", 0.5), ("p99", 0.99)):
                at = min(len(known) - 1, int(share * len(known)))
                row[name] = round(known[at] * 1000, 2) if known else 0.0
            row["max"] = round(known[-1] * 1000, 2) if known else 0.0
            row["offered"] = self.offered[second]
            row["dropped"] = self.dropped[second]
            rows.append(row)
            low = high
        return rows

    def totals(self) -> dict[str, int]:
        """Count the attempts by class."""
        counts = Counter(self._class)
        return {name: counts[number] for number, name in enumerate(_CLASSES)}
