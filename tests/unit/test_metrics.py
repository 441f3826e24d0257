"""Counting in shared memory: what several processes count is told as one."""

import os

import pytest
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import memory as memory_module
from service.metrics.exposition import expose
from service.metrics.instruments import Family, Metrics, Sample
from service.metrics.memory import Memory, Region

SEEN = Family("counter", "seen_total", "Things seen.", ("kind",))
TOOK = Family("histogram", "took_seconds", "Time taken.", (), (0.1, 1.0))
SIZE = Family("gauge", "size", "Size now.", ("of",))


def told(metrics: Metrics) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of a scrape."""
    body, content_type = expose(metrics, "")
    assert content_type.startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def instruments(memory: Memory, index: int) -> Metrics:
    metrics = Metrics(Region(memory, index))
    metrics.counter(SEEN)
    metrics.histogram(TOOK)
    metrics.source((SIZE,), lambda: ())
    return metrics


def test_counters_and_histograms_of_all_processes_are_summed() -> None:
    memory = Memory.make(2)
    both = [instruments(memory, index) for index in range(2)]
    for number, metrics in enumerate(both, 1):
        for _ in range(number):
            metrics.counter(SEEN).add(("cat",))
        metrics.histogram(TOOK).observe(0.05 * number)
    both[1].counter(SEEN).add(("dog",), 5)
    both[1].histogram(TOOK).observe(0.5)
    both[1].histogram(TOOK).observe(7)

    for metrics in both:  # whichever is asked
        samples = told(metrics)
        assert samples["seen_total", (("kind", "cat"),)] == 3
        assert samples["seen_total", (("kind", "dog"),)] == 5
        buckets = {
            labels[0][1]: value
            for (name, labels), value in samples.items()
            if name == "took_seconds_bucket"
        }
        assert buckets == {"0.1": 2, "1.0": 3, "+Inf": 4}  # a bound belongs to its bucket
        assert samples["took_seconds_count", ()] == 4
        assert samples["took_seconds_sum", ()] == pytest.approx(7.65)


def test_each_process_has_its_own_gauges() -> None:
    memory = Memory.make(2)
    both = [Metrics(Region(memory, index)) for index in range(2)]
    for number, metrics in enumerate(both, 1):
        value = 10.0 * number
        metrics.source((SIZE,), lambda value=value: [Sample(SIZE, ("box",), value)])
        metrics.sample()
    samples = told(both[0])
    assert samples["size", (("of", "box"), ("worker", "1"))] == 10
    assert samples["size", (("of", "box"), ("worker", "2"))] == 20


def test_a_process_goes_on_where_the_one_before_it_crashed() -> None:
    memory = Memory.make(1)
    kept = Family("counter", "kept_total", "Counted by others.", ("kind",))

    for plain, expected in ((3, 3), (2, 5), (4, 9)):
        metrics = instruments(memory, 0)
        metrics.counter(SEEN).add((f"dog {plain}",))  # each begins with another series
        metrics.counter(SEEN).add(("cat",), plain)
        metrics.source((kept,), lambda plain=plain: [Sample(kept, ("a",), plain)])
        for _ in range(2):  # publishing twice counts once
            metrics.sample()
        samples = told(metrics)
        assert samples["seen_total", (("kind", "cat"),)] == expected
        assert samples["kept_total", (("kind", "a"),)] == expected


def test_another_process_that_has_the_descriptor_sees_the_numbers() -> None:
    memory = Memory.make(2)
    ours = instruments(memory, 0)
    child = os.fork()
    if not child:
        try:
            instruments(Memory(memory.fd), 1).counter(SEEN).add(("cat",), 7)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    ours.counter(SEEN).add(("cat",), 1)
    assert told(ours)["seen_total", (("kind", "cat"),)] == 8


def test_series_without_room_are_dropped_and_harm_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(memory_module, "_CELLS", 128)
    metrics = instruments(Memory.make(1), 0)
    for number in range(200):
        metrics.counter(SEEN).add((str(number),), number + 1)
    samples = told(metrics)
    counted = {labels[0][1]: value for (name, labels), value in samples.items() if labels}
    assert counted == {str(number): number + 1 for number in range(64)}
    assert metrics.region.dropped == 200 - 64


def test_a_name_stands_for_one_metric() -> None:
    metrics = Metrics(Region.alone())
    metrics.counter(SEEN)
    with pytest.raises(ValueError, match="seen_total"):
        metrics.counter(SEEN._replace(help="Something else."))
    with pytest.raises(ValueError, match="labels"):
        metrics.counter(SEEN).add(("cat", "black"))
    assert told(metrics) == {}


def test_openmetrics_is_spoken_to_those_who_accept_it() -> None:
    metrics = instruments(Memory.make(1), 0)
    metrics.counter(SEEN).add(("cat",))
    body, content_type = expose(metrics, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert b'seen_total{kind="cat"} 1.0\n' in body
    assert body.endswith(b"# EOF\n")
