"""One run: load and faults side by side, then what is open is settled, then the checker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from loadgen.accounts import Accounts, fund, open_accounts
from loadgen.check.verdict import Verdict, check
from loadgen.client import Client, Fleet
from loadgen.faults.fault import Fault
from loadgen.faults.matrix import FAULTS
from loadgen.history import History
from loadgen.journal.history import DurableHistory
from loadgen.latency import Latencies, Percentiles
from loadgen.pacing import Pace, closed_model, open_model
from loadgen.progress import Progress, Steps
from loadgen.prover.driver import Driver
from loadgen.prover.injector import Injection, Injector
from loadgen.prover.timeline import Timeline
from loadgen.rig.rig import Rig
from loadgen.scenarios import DEFAULT_WEIGHTS, Scenarios
from loadgen.settle import Settler
from loadgen.target import Target

PATIENCE = 60.0
GRACE = 90.0
"""Seconds after the load in which what is unknown must become definite."""
WARM_UP = 2.0


class ProveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    seed: int
    seconds: float = 600.0
    model: str = "open"
    rate: float = 100.0
    """Operations a second; a race, a storm or an import is many requests."""
    clients: int = 32
    most_in_flight: int = 96
    accounts: int = 1000
    faults: tuple[str, ...] = ()
    """Names; none: all of them."""
    directory: Path = Path("prove-results")


class Skipped(msgspec.Struct, frozen=True):
    """A fault that this machine cannot have."""

    fault: str
    row: str
    why: str
    substitute: str


class Proof(msgspec.Struct, kw_only=True):
    """Everything that a run came to."""

    seed: int
    seconds: float
    options: dict[str, Any]
    injections: list[Injection]
    skipped: list[Skipped]
    undecided: int
    attempts: dict[str, int]
    latencies_ms: dict[str, Percentiles]
    timeline: list[dict[str, float]]
    pace: Pace
    verdict: Verdict
    history: str
    duplicates: float
    """Share of the attempts that repeat a key."""
    programs: str

    @property
    def sound(self) -> bool:
        """Say whether nothing was found, and every fault could be done and was recovered from."""
        return self.verdict.sound and all(
            injection.verdict == "recovered" for injection in self.injections
        )


class Prove:
    """A run of the prover."""

    def __init__(self, options: ProveOptions, console: Console) -> None:
        self._options = options
        self._console = console
        self._timeline = Timeline()
        self._latencies = Latencies()
        self._pace = Pace()
        run = f"{time.time_ns() // 1_000_000:x}"
        self._accounts = Accounts.of_run(run, options.accounts)
        options.directory.mkdir(parents=True, exist_ok=True)
        self.history_file = options.directory / f"history-{options.seed}-{run}.jsonl"

    async def __call__(self) -> Proof:
        """Build the rig, break it under load, check, and give the proof."""
        options = self._options
        history = DurableHistory(
            self.history_file,
            run=self._accounts.run_id,
            seed=options.seed,
            ledger="main",
            prefix=self._accounts.prefix,
            observer=self._timeline,
        )
        self._console.print("starting PostgreSQL, its standby, Valkey and two services")
        async with AsyncExitStack() as stack:
            rig = await stack.enter_async_context(Rig())
            programs = str(await rig.primary.sql("select version()"))
            faults, skipped = self._choose(rig)
            for one in skipped:
                instead = f"; instead: {one.substitute}" if one.substitute else ""
                self._console.print(f"[yellow]skipped: {one.fault}: {one.why}{instead}[/]")
            clients = [
                await stack.enter_async_context(Client(Target(url, rig.key), "main"))
                for url in rig.urls
            ]
            fleet = Fleet(clients)
            await self._open(fleet, history)
            injector, driver = await self._load(rig, fleet, history, faults)
            await history.close()
            self._console.print(f"checking {self.history_file}")
            verdict = await check(self.history_file, rig.owner_dsn, options.directory)
            rig.keep = not verdict.sound
            if rig.keep:
                self._console.print(f"data and logs are kept in {rig.home}")
                if rig.disk.problem is None:
                    self._console.print(f"its disk stays mounted: umount {rig.disk.path}")
        checked = verdict.checked
        return Proof(
            seed=options.seed,
            seconds=options.seconds,
            options=msgspec.to_builtins(options, enc_hook=str),
            injections=injector.injections,
            skipped=skipped,
            undecided=driver.undecided,
            attempts=self._timeline.totals(),
            latencies_ms=self._latencies.percentiles(),
            timeline=self._timeline.by_second(),
            pace=self._pace,
            verdict=verdict,
            history=str(self.history_file),
            duplicates=1 - checked.keys / checked.attempts if checked.attempts else 0.0,
            programs=programs,
        )

    def _choose(self, rig: Rig) -> tuple[list[Fault], list[Skipped]]:
        wanted = self._options.faults
        chosen, skipped = [], []
        for fault in FAULTS:
            if wanted and fault.name not in wanted:
                continue
            if (why := fault.problem(rig)) is not None:
                skipped.append(Skipped(fault.name, fault.row, why, fault.substitute))
            else:
                chosen.append(fault)
        return chosen, skipped

    async def _open(self, fleet: Fleet, history: DurableHistory) -> None:
        documents = self._accounts.documents()
        steps = Steps("opened", len(documents))
        # Creating an account is no payment: it is not part of the history.
        settler = Settler(fleet, History(), lambda sent: sent + PATIENCE)
        async with Progress(self._console, "accounts", steps.describe):
            await open_accounts(settler, documents, 16, steps.one)
        await fund(Settler(fleet, history, lambda sent: sent + PATIENCE), self._accounts.funding())

    async def _load(
        self, rig: Rig, fleet: Fleet, history: DurableHistory, faults: Sequence[Fault]
    ) -> tuple[Injector, Driver]:
        options = self._options
        end = time.perf_counter() + options.seconds + GRACE
        settler = Settler(fleet, history, lambda _: end)
        driver = Driver(settler, fleet, history, self._latencies)
        scenarios = Scenarios(options.seed, self._accounts)
        special = {
            name: Scenarios(options.seed + number, self._bursting(name), {name: 1.0})
            for number, name in enumerate(DEFAULT_WEIGHTS, start=1)
        }

        async def burst(name: str) -> None:
            operations = special["uniform" if name == "conflicts" else name]
            if name == "conflicts":
                # It needs an earlier payment of its own.
                operations = mixed
            await driver.perform(next(operations), time.perf_counter())

        mixed = Scenarios(
            options.seed, self._bursting("conflicted"), {"uniform": 1, "conflicts": 3}
        )
        self._timeline.began = time.perf_counter()
        injector = Injector(
            rig,
            history,
            self._timeline,
            burst,
            (self._accounts.hot, *self._accounts.ordinary[:3]),
        )
        stop = asyncio.Event()

        async def break_things() -> None:
            await asyncio.sleep(WARM_UP)
            if faults:
                await injector.run(options.seed, faults, options.seconds)

        sampler = asyncio.create_task(self._sample())
        async with (
            Progress(self._console, "prove", self._describe(history, injector)),
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self._paced(scenarios, driver, stop))
            group.create_task(break_things())
        sampler.cancel()
        return injector, driver

    async def _sample(self) -> None:
        """Write down, second by second, what was due and what was never started."""
        offered = dropped = 0
        while True:
            await asyncio.sleep(0.25)
            second = int(self._timeline.now())
            due = self._pace.started + self._pace.dropped
            self._timeline.offered[second] += due - offered
            self._timeline.dropped[second] += self._pace.dropped - dropped
            offered, dropped = due, self._pace.dropped

    def _bursting(self, name: str) -> Accounts:
        """The same accounts, and keys that are nobody else's."""
        return msgspec.structs.replace(self._accounts, run_id=f"{self._accounts.run_id}-{name}")

    async def _paced(self, scenarios: Scenarios, driver: Driver, stop: asyncio.Event) -> None:
        options = self._options
        if options.model == "closed":
            await closed_model(
                scenarios,
                driver.perform,
                self._pace,
                stop,
                clients=options.clients,
                seconds=options.seconds,
            )
        else:
            await open_model(
                scenarios,
                driver.perform,
                self._pace,
                stop,
                rate=options.rate,
                seconds=options.seconds,
                most_in_flight=options.most_in_flight,
            )

    def _describe(self, history: DurableHistory, injector: Injector) -> Any:
        last = (time.perf_counter(), 0)

        def describe() -> Mapping[str, str]:
            nonlocal last
            totals = self._timeline.totals()
            now = (time.perf_counter(), sum(totals.values()))
            speed = (now[1] - last[1]) / (now[0] - last[0])
            last = now
            return {
                "attempts/s": f"{speed:,.0f}",
                "in flight": f"{history.in_flight:,}",
                "posted": f"{totals['posted']:,}",
                "replayed": f"{totals['replayed']:,}",
                "unknown": f"{totals['unknown']:,}",
                "faults": f"{len(injector.injections):,}",
                "now": injector.under_way or "-",
            }

        return describe
