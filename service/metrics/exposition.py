"""What a scrape gets: the sums over all processes, and each one's gauges."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from service.metrics.instruments import SEPARATOR, Family, Metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

WORKER = "worker"  # the label that tells the processes' gauges apart


def expose(metrics: Metrics, accept: str) -> tuple[bytes, str]:
    """The body, and its Content-Type: OpenMetrics where it is accepted, else the text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything(metrics))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Everything(Collector):
    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        families = self._metrics.families
        counted: dict[str, dict[tuple[str, ...], tuple[float, ...]]] = {
            name: {} for name in families
        }
        memory = self._metrics.region.memory
        for region in range(memory.regions):
            for key, numbers in memory.read(region):
                name, *labels = key.split(SEPARATOR)
                if name not in families:
                    continue
                if families[name].kind == "gauge":
                    counted[name][*labels, str(region + 1)] = numbers
                else:
                    so_far = counted[name].get(tuple(labels), (0.0,) * len(numbers))
                    counted[name][tuple(labels)] = tuple(map(add, so_far, numbers))
        for name, family in families.items():
            yield _metric(family, counted[name])


def _metric(family: Family, series: dict[tuple[str, ...], tuple[float, ...]]) -> Metric:
    described = family.name.removesuffix("_total"), family.help
    match family.kind:
        case "counter":
            counter = CounterMetricFamily(*described, labels=family.labels)
            for labels, numbers in series.items():
                counter.add_metric(labels, numbers[0])
            return counter
        case "gauge":
            gauge = GaugeMetricFamily(*described, labels=(*family.labels, WORKER))
            for labels, numbers in series.items():
                gauge.add_metric(labels, numbers[0])
            return gauge
        case "histogram":
            histogram = HistogramMetricFamily(*described, labels=family.labels)
            for labels, numbers in series.items():
                histogram.add_metric(labels, _cumulated(family, numbers), numbers[-1])
            return histogram


def _cumulated(family: Family, numbers: Sequence[float]) -> list[tuple[str, float]]:
    """The buckets as Prometheus counts them: each holds those before it."""
    buckets, total = [], 0.0
    for bound, number in zip((*map(str, family.buckets), "+Inf"), numbers, strict=False):
        total += number
        buckets.append((bound, total))
    return buckets
