"""The injector: what it writes into the history about a fault, and what it says of its outcome."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from loadgen.faults.fault import Fault, Scene
from loadgen.history import Outcome
from loadgen.journal.history import DurableHistory
from loadgen.journal.reader import read
from loadgen.journal.records import WINDOW_OVER, Mark
from loadgen.prover import injector
from loadgen.prover.injector import Injection, Injector
from loadgen.prover.plan import Step
from loadgen.prover.timeline import Timeline
from loadgen.rig.rig import Rig

STEP = Step(3, "made", pause=0.0, lasts=0.0, seed=1)


@dataclass
class FakeRig:
    services: list[SimpleNamespace] = field(
        default_factory=lambda: [SimpleNamespace(name=f"service-{n}", runs=True) for n in (1, 2)]
    )


async def inject(
    fault: Fault, rig: FakeRig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Injection, list[Mark]]:
    monkeypatch.setattr(injector, "WAIT_FOR_LOAD", 0.0)
    timeline = Timeline()
    path = tmp_path / "history"
    history = DurableHistory(path, run="r", seed=1, ledger="main", prefix="p", observer=timeline)
    history.in_flight = 5

    async def burst(_: str) -> None:
        timeline.ended(Outcome.POSTED, False, 0.001)

    injecting = Injector(cast(Rig, rig), history, timeline, burst, ())
    await injecting._inject(STEP, fault)
    await history.close()
    (injection,) = injecting.injections
    return injection, [entry for _, entry in read(path) if isinstance(entry, Mark)]


@asynccontextmanager
async def nothing(_: Scene) -> AsyncIterator[None]:
    yield


async def test_a_fault_is_marked_from_its_start_to_its_healing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault = Fault("made", "a row", nothing, within=7.0)
    injection, marks = await inject(fault, FakeRig(), tmp_path, monkeypatch)
    assert (injection.verdict, injection.in_flight, injection.counts) == ("recovered", 5, True)
    assert [(mark.event, mark.number, mark.loses) for mark in marks] == [
        ("start", 3, False),
        ("heal", 3, False),
    ]
    assert marks[1].within == 7.0


async def test_a_fault_that_loses_declares_its_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def loses(scene: Scene) -> AsyncIterator[None]:
        scene.note(WINDOW_OVER)
        yield

    fault = Fault("made", "a row", loses, within=7.0, loses=True)
    _, marks = await inject(fault, FakeRig(), tmp_path, monkeypatch)
    assert [(mark.event, mark.loses) for mark in marks] == [
        ("start", True),
        (WINDOW_OVER, False),
        ("heal", False),
    ]


async def test_a_fault_that_cannot_be_done_is_told_and_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def fails(_: Scene) -> AsyncIterator[None]:
        raise OSError("no such thing")
        yield

    injection, marks = await inject(
        Fault("made", "a row", fails, within=1.0), FakeRig(), tmp_path, monkeypatch
    )
    assert (injection.verdict, injection.note) == ("not done", "OSError: no such thing")
    assert not injection.counts
    assert marks[-1].note == injection.note


async def test_a_service_that_ends_by_itself_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the requests reach the other one: nothing else would tell of it."""
    rig = FakeRig()

    @asynccontextmanager
    async def kills(_: Scene) -> AsyncIterator[None]:
        rig.services[1].runs = False
        yield

    injection, _ = await inject(
        Fault("made", "a row", kills, within=1.0), rig, tmp_path, monkeypatch
    )
    assert injection.verdict == "not done"
    assert "service-2 ended by itself" in injection.note
