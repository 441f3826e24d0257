"""Carries the plan out: breaks, waits, mends, and sees whether the system serves again."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence

import msgspec

from loadgen.faults.fault import Burst, Fault, Scene
from loadgen.faults.matrix import BY_NAME
from loadgen.journal.history import DurableHistory
from loadgen.prover.plan import Step, plan
from loadgen.prover.timeline import Timeline
from loadgen.rig.rig import Rig

WAIT_FOR_LOAD = 5.0
"""Seconds to wait for a request in flight: without one an injection shows nothing."""
POLL = 0.01

SERVED, LATE, BROKEN, IDLE, SILENT = "recovered", "too late", "not done", "no load", "did not serve"


class Injection(msgspec.Struct, kw_only=True):
    """What became of one step of the plan."""

    number: int
    fault: str
    began: float
    """Seconds since the load began."""
    healed: float = 0.0
    ended: float = 0.0
    """When a payment that was sent after healing was answered."""
    in_flight: int = 0
    recovery: float | None = None
    """Seconds from healing to that answer."""
    p99_ms: float = 0.0
    verdict: str = IDLE
    note: str = ""

    @property
    def counts(self) -> bool:
        """Say whether it hit anything."""
        return self.in_flight > 0 and self.verdict in (SERVED, LATE, SILENT)


class Injector:
    """One fault after the other, until the time is up."""

    def __init__(
        self,
        rig: Rig,
        history: DurableHistory,
        timeline: Timeline,
        burst: Burst,
        accounts: tuple[str, ...],
    ) -> None:
        self._rig = rig
        self._history = history
        self._timeline = timeline
        self._burst = burst
        self._accounts = accounts
        self.injections: list[Injection] = []
        self.under_way = ""
        """Which fault is at work now."""

    async def run(self, seed: int, faults: Sequence[Fault], until: float) -> None:
        """Carry out the plan of a seed; `until` is a time of the timeline."""
        for step in plan(seed, faults):
            await asyncio.sleep(step.pause)
            fault = BY_NAME[step.fault]
            # What it takes when it goes well: nothing is begun that would not end in time.
            if self._timeline.now() + step.lasts + fault.within / 2 > until:
                return
            await self._inject(step, fault)

    async def _inject(self, step: Step, fault: Fault) -> None:
        injection = Injection(number=step.number, fault=fault.name, began=self._timeline.now())
        self.injections.append(injection)
        injection.in_flight = await self._wait_for_load()
        injection.began = self._timeline.now()
        self.under_way = fault.name

        def note(event: str) -> None:
            self._history.mark(fault.name, event, number=step.number)

        scene = Scene(
            self._rig,
            random.Random(step.seed),
            self._burst,
            self._accounts,
            note,
        )
        self._history.mark(
            fault.name,
            "start",
            number=step.number,
            in_flight=injection.in_flight,
            loses=fault.loses,
        )
        try:
            async with fault.inject(scene):
                await asyncio.sleep(step.lasts)
                injection.healed = self._timeline.now()
        except Exception as error:  # noqa: BLE001 - a fault that can't be done is told, and load goes on
            injection.note = f"{type(error).__name__}: {error}"[:500]
            injection.verdict = BROKEN
        finally:
            self.under_way = ""
        self._history.mark(
            fault.name, "heal", number=step.number, within=fault.within, note=injection.note
        )
        # From here on, what the fault's own mending took is no part of the recovery.
        injection.healed = self._timeline.now()
        await self._recovered(injection, fault)
        if ended := [service.name for service in self._rig.services if not service.runs]:
            injection.verdict = BROKEN
            injection.note += f" {', '.join(ended)} ended by itself"
        injection.p99_ms = self._timeline.percentile(0.99, injection.began, injection.ended)

    async def _wait_for_load(self) -> int:
        deadline = time.monotonic() + WAIT_FOR_LOAD
        while not self._history.in_flight and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(POLL / 10)
        return self._history.in_flight

    async def _recovered(self, injection: Injection, fault: Fault) -> None:
        """Wait for the answer to a payment that is sent now."""
        probe = asyncio.ensure_future(self._answered())
        done, _ = await asyncio.wait([probe], timeout=fault.within)
        injection.ended = self._timeline.now()
        recovery = injection.ended - injection.healed
        if injection.verdict == BROKEN:
            await asyncio.wait([probe], timeout=fault.within)
            return
        if not done:
            injection.verdict = LATE
            await asyncio.wait([probe], timeout=60)
            injection.recovery = self._timeline.now() - injection.healed
            return
        injection.recovery = recovery
        served = self._timeline.definite_between(injection.began, injection.healed)
        lasted = injection.healed - injection.began
        if fault.serves and not served and lasted > 1:
            injection.verdict = SILENT
        else:
            injection.verdict = SERVED

    async def _answered(self) -> None:
        await self._burst("uniform")
