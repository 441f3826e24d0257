"""Pacing: an open model keeps to its times, a closed one to its clients."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from loadgen.pacing import LATE, Pace, closed_model, for_each, open_model


async def open_run(
    perform: object, *, rate: float, seconds: float, most_in_flight: int = 1000
) -> Pace:
    pace = Pace()
    await open_model(
        itertools.count(),
        perform,  # type: ignore[arg-type]
        pace,
        asyncio.Event(),
        rate=rate,
        seconds=seconds,
        most_in_flight=most_in_flight,
    )
    return pace


async def test_arrivals_are_due_at_constant_intervals_and_never_start_early() -> None:
    dues: list[float] = []
    early = 0

    async def perform(_: int, due: float) -> None:
        nonlocal early
        early += time.perf_counter() < due
        dues.append(due)

    pace = await open_run(perform, rate=200, seconds=0.5)
    steps = [after - before for before, after in itertools.pairwise(sorted(dues))]
    assert pace.started == 100
    assert early == 0
    assert all(step == pytest.approx(1 / 200) for step in steps)


async def test_a_slow_server_does_not_slow_the_arrivals() -> None:
    """The whole point of the open model: no answer is waited for before the next arrival."""
    gate = asyncio.Event()
    waiting = 0

    async def perform(_: int, __: float) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 50:
            gate.set()  # only arrivals that nobody answers get here
        await gate.wait()

    pace = await open_run(perform, rate=500, seconds=0.1)
    assert pace.started == 50
    assert pace.in_flight == 0


async def test_a_stalled_generator_tells_how_late_it_was_and_times_from_when_it_was_due() -> None:
    latencies = []

    async def perform(number: int, due: float) -> None:
        if number == 10:
            time.sleep(0.2)  # noqa: ASYNC251 - the stall is what is tested
        latencies.append(time.perf_counter() - due)

    pace = await open_run(perform, rate=200, seconds=0.3)
    # Those due during the stall waited for its end, the first of them nearly all of it.
    assert pace.late >= 25
    assert pace.latest > 0.15
    assert sum(latency > LATE for latency in latencies) >= pace.late
    assert max(latencies) > 0.15
    assert pace.started == 60


async def test_arrivals_beyond_what_may_be_under_way_are_dropped_and_counted() -> None:
    release = asyncio.Event()
    performed = []

    async def perform(number: int, _: float) -> None:
        performed.append(number)
        if number < 5:
            await release.wait()

    async def release_later() -> None:
        while len(performed) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        release.set()

    pace, _ = await asyncio.gather(
        open_run(perform, rate=1000, seconds=0.2, most_in_flight=5), release_later()
    )
    assert pace.dropped > 0
    assert pace.started + pace.dropped == 200
    assert len(performed) == pace.started


async def test_a_dropped_arrival_uses_up_its_place_in_the_schedule() -> None:
    performed = []

    async def perform(number: int, _: float) -> None:
        performed.append(number)
        await asyncio.sleep(0.02)

    pace = await open_run(perform, rate=500, seconds=0.2, most_in_flight=3)
    assert pace.dropped > 0
    assert performed != list(range(pace.started))
    assert performed == sorted(performed)


async def test_stopping_ends_the_arrivals_and_waits_for_those_under_way() -> None:
    stop = asyncio.Event()
    ended = []

    async def perform(number: int, _: float) -> None:
        if number == 10:
            stop.set()
        await asyncio.sleep(0.01)
        ended.append(number)

    pace = Pace()
    await open_model(
        itertools.count(), perform, pace, stop, rate=500, seconds=60, most_in_flight=1000
    )
    assert pace.started < 20
    assert len(ended) == pace.started


async def test_a_closed_model_has_as_many_under_way_as_it_has_clients() -> None:
    pace = Pace()
    most = 0

    async def perform(_: int, __: float) -> None:
        nonlocal most
        most = max(most, pace.in_flight)
        await asyncio.sleep(0)

    await closed_model(iter(range(100)), perform, pace, asyncio.Event(), clients=7)
    assert (pace.started, pace.in_flight, most) == (100, 0, 7)


async def test_a_closed_model_ends_in_time() -> None:
    async def perform(_: int, __: float) -> None:
        await asyncio.sleep(0.001)

    pace = Pace()
    await closed_model(itertools.count(), perform, pace, asyncio.Event(), clients=4, seconds=0.1)
    assert pace.started > 4
    assert pace.seconds < 0.2


async def test_an_error_in_one_item_ends_the_rest() -> None:
    done = []

    async def work(number: int) -> None:
        if number == 3:
            raise ValueError(number)
        done.append(number)
        await asyncio.sleep(0)

    with pytest.raises(ValueError, match="3"):
        await for_each(range(1_000_000), work, clients=2)
    assert len(done) < 100
