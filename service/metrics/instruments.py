"""Counters, gauges and histograms, and the registry that knows them all."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.metrics.memory import Region

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]

# Seconds: from an L1 hit to a payment that waits for its deadline.
LATENCY_BUCKETS = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
SEPARATOR = "\x1f"


class Family(NamedTuple):
    """A metric. Counters and histograms are summed over the processes; each has its own gauge."""

    kind: Kind
    name: str
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Cells of one series: a histogram has one a bucket, one beyond, and the sum."""
        return len(self.buckets) + 2 if self.kind == "histogram" else 1


class Sample(NamedTuple):
    """A number that somebody else keeps, as it is now."""

    family: Family
    labels: tuple[str, ...]
    value: float


Source: TypeAlias = "Callable[[], Iterable[Sample]]"


class Counter:
    """Goes up."""

    __slots__ = ("_metrics", "_places", "family")

    def __init__(self, metrics: Metrics, family: Family) -> None:
        self.family = family
        self._metrics = metrics
        self._places: dict[tuple[str, ...], int] = {}

    def add(self, labels: tuple[str, ...] = (), amount: float = 1) -> None:
        """Adds to the series with these labels, in the order of the family's."""
        place = self._places.get(labels)
        if place is None:
            place = self._places[labels] = self._metrics.place(self.family, labels)
        self._metrics.cells[place] += amount


class Histogram:
    """How many observations fell where, and their sum."""

    __slots__ = ("_bounds", "_metrics", "_places", "_sum", "family")

    def __init__(self, metrics: Metrics, family: Family) -> None:
        self.family = family
        self._bounds = family.buckets
        self._sum = len(family.buckets) + 1
        self._metrics = metrics
        self._places: dict[tuple[str, ...], int] = {}

    def observe(self, value: float, labels: tuple[str, ...] = ()) -> None:
        """One more."""
        place = self._places.get(labels)
        if place is None:
            place = self._places[labels] = self._metrics.place(self.family, labels)
        cells = self._metrics.cells
        cells[place + bisect_left(self._bounds, value)] += 1
        cells[place + self._sum] += value


class Metrics:
    """What this process counts. Everything it is to tell is registered when it starts."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.cells = region.cells
        self.families: dict[str, Family] = {}
        self._sources: list[Source] = []
        self._before: dict[str, float] = {}  # counted by earlier processes in this region

    def counter(self, family: Family) -> Counter:
        """An instrument; the family is told from now on."""
        return Counter(self, self._register(family, "counter"))

    def histogram(self, family: Family) -> Histogram:
        """An instrument; the family is told from now on."""
        return Histogram(self, self._register(family, "histogram"))

    def source(self, families: Iterable[Family], source: Source) -> None:
        """Numbers that others keep in plain variables: `source` is asked before they are told."""
        for family in families:
            self._register(family, family.kind)
        self._sources.append(source)

    def place(self, family: Family, labels: tuple[str, ...]) -> int:
        """Where a series is in `cells`."""
        if len(labels) != len(family.labels):
            raise ValueError(f"{family.name}: labels {family.labels}, given {labels}")
        return self.region.place(SEPARATOR.join((family.name, *labels)), family.width)

    def sample(self) -> None:
        """Publishes what the sources keep, for whichever process is asked."""
        for source in self._sources:
            for family, labels, value in source():
                place = self.place(family, labels)
                if family.kind == "counter":
                    key = SEPARATOR.join((family.name, *labels))
                    value += self._before.setdefault(key, self.cells[place])
                self.cells[place] = value

    def _register(self, family: Family, kind: Kind) -> Family:
        if family.kind != kind or self.families.setdefault(family.name, family) != family:
            raise ValueError(f"{family.name} is another metric")
        return family
