"""Latencies by operation, in HdrHistograms: from the intended start to the definite answer."""

from __future__ import annotations

import msgspec
from hdrh.histogram import HdrHistogram

LOWEST_US, HIGHEST_US, DIGITS = 1, 600_000_000, 3
PERCENTILES = (50.0, 90.0, 99.0, 99.9)
ALL = "all"


class Percentiles(msgspec.Struct, frozen=True):
    """Milliseconds."""

    count: int
    p50: float
    p90: float
    p99: float
    p99_9: float
    max: float


class Latencies:
    """One histogram for each kind of operation, and one for all of them."""

    def __init__(self) -> None:
        self._histograms = {ALL: _histogram()}

    def record(self, kind: str, seconds: float) -> None:
        """Count one operation."""
        microseconds = min(max(int(seconds * 1_000_000), LOWEST_US), HIGHEST_US)
        histogram = self._histograms.get(kind)
        if histogram is None:
            histogram = self._histograms[kind] = _histogram()
        histogram.record_value(microseconds)
        self._histograms[ALL].record_value(microseconds)

    def percentiles(self) -> dict[str, Percentiles]:
        """Give the figures of each kind, all of them last."""
        kinds = [kind for kind in self._histograms if kind != ALL]
        return {kind: self.of(kind) for kind in [*sorted(kinds), ALL]}

    def of(self, kind: str) -> Percentiles:
        """Give the figures of one kind."""
        histogram = self._histograms[kind]
        # At once: it goes through thousands of counts, in Python. None are there if none were made.
        found = histogram.get_percentile_to_value_dict(PERCENTILES)
        p50, p90, p99, p99_9 = (float(found.get(at, 0)) / 1000 for at in PERCENTILES)
        return Percentiles(
            count=int(histogram.get_total_count()),
            p50=p50,
            p90=p90,
            p99=p99,
            p99_9=p99_9,
            max=float(histogram.get_max_value()) / 1000,
        )


def _histogram() -> HdrHistogram:
    return HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS)
