"""`loadgen run`: opens accounts, loads them, and holds the answers against the ledger."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec
from rich.console import Console

from loadgen import checker, result, wire
from loadgen.accounts import Accounts, fund, open_accounts
from loadgen.audit import Audit, Findings
from loadgen.client import Client
from loadgen.database import verify_ledger
from loadgen.history import History
from loadgen.latency import ALL, Latencies
from loadgen.load import Load
from loadgen.pacing import Pace, closed_model, open_model
from loadgen.progress import Describe, Progress, Steps
from loadgen.result import Checked, Result
from loadgen.schedule import Mix, Schedule
from loadgen.settle import Settler
from loadgen.target import Target

MOST_IN_FLIGHT = 4_096
PATIENCE = 60.0
"""Seconds that a request of the setup or the audit may take, with its retries."""


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    seed: int
    run_id: str
    ledger: str = "main"
    model: str = "open"
    rate: float = 1000.0
    clients: int = 64
    seconds: float = 20.0
    grace: float = 30.0
    """Seconds after the load in which what is unknown must become definite."""
    accounts: int = 1000
    mix: Mix = Mix()


class Run:
    """One run: what it did, what was measured, and what was found wrong."""

    def __init__(
        self, options: RunOptions, target: Target, dsn: str | None, console: Console
    ) -> None:
        self._options = options
        self._target = target
        self._dsn = dsn
        self._console = console
        self._accounts = Accounts.of_run(options.run_id, options.accounts)
        self._history = History()
        self._latencies = Latencies()
        self._findings = Findings()
        self._pace = Pace()

    async def __call__(self) -> Result:
        """Open the accounts, load them, check, and give the result."""
        options = self._options
        async with Client(self._target, options.ledger, options.clients) as client:
            patient = Settler(client, self._history, lambda sent: sent + PATIENCE)
            audit = Audit(patient, options.clients, self._findings)
            await self._open(patient)
            before = await audit.accounts(self._accounts.prefix)
            await fund(patient, self._accounts.funding())
            requests, start = client.requests, time.perf_counter()
            await self._load(client)
            requests, seconds = client.requests - requests, time.perf_counter() - start
            checked = await self._check(audit, before)
        if self._dsn is not None:
            self._findings.add(await verify_ledger(self._dsn))
            checked.verify_ledger = True
        return Result(
            command="run",
            verdict=result.verdict(self._findings),
            seed=options.seed,
            options=msgspec.to_builtins(options),
            seconds=seconds,
            requests=requests,
            requests_per_second=requests / seconds,
            pace=self._pace,
            latencies_ms=self._latencies.percentiles(),
            outcomes=dict(self._history.counts),
            checked=checked,
            breaches=dict(self._findings.counts),
            evidence=result.evidence(self._findings, self._history),
        )

    async def _open(self, settler: Settler) -> None:
        documents = self._accounts.documents()
        steps = Steps("opened", len(documents))
        async with Progress(self._console, "accounts", steps.describe):
            await open_accounts(settler, documents, self._options.clients, steps.one)

    async def _load(self, client: Client) -> None:
        options = self._options
        end = time.perf_counter() + options.seconds + options.grace
        settler = Settler(client, self._history, lambda _: end)
        load = Load(settler, self._history, self._latencies, self._findings)
        schedule = Schedule(options.seed, self._accounts, options.mix)
        with _stopped_by_interrupt() as stop:
            async with Progress(self._console, "load", self._speedometer(client)):
                if options.model == "open":
                    await open_model(
                        schedule,
                        load.perform,
                        self._pace,
                        stop,
                        rate=options.rate,
                        seconds=options.seconds,
                        most_in_flight=MOST_IN_FLIGHT,
                    )
                else:
                    await closed_model(
                        schedule,
                        load.perform,
                        self._pace,
                        stop,
                        clients=options.clients,
                        seconds=options.seconds,
                    )

    def _speedometer(self, client: Client) -> Describe:
        last = (time.perf_counter(), client.requests)

        def describe() -> Mapping[str, str]:
            nonlocal last
            now = (time.perf_counter(), client.requests)
            speed = (now[1] - last[1]) / (now[0] - last[0])
            last = now
            so_far = self._latencies.of(ALL)
            counts = self._history.counts
            unknown = sum(count for label, count in counts.items() if label.startswith("unknown"))
            return {
                "requests/s": f"{speed:,.0f}",
                "in flight": f"{self._pace.in_flight:,}",
                "p50 ms": f"{so_far.p50:,.1f}",
                "p99 ms": f"{so_far.p99:,.1f}",
                "posted": f"{counts['posted']:,}",
                "replayed": f"{counts['posted, replayed']:,}",
                "unknown": f"{unknown:,}",
            }

        return describe

    async def _check(self, audit: Audit, before: Mapping[str, wire.Account]) -> Checked:
        findings = self._findings
        facts = checker.gather(self._history)
        findings.add(checker.check_facts(facts))
        moved, clashes = checker.acknowledged_movements(facts)
        findings.add(clashes)
        versions = {code: account.version for code, account in before.items()}
        findings.add(checker.check_first_seen(facts, versions))

        after = await audit.accounts(self._accounts.prefix)
        findings.add(checker.check_conserved(before.values(), after.values()))
        for code, account in after.items():
            findings.add(checker.check_balance(before.get(code), account, moved.get(code, {})))
        checked = result.count_checked(facts, self._history)
        checked.accounts = len(after)
        checked.reads = len(self._history.reads)
        steps = Steps("accounts", len(after))
        async with Progress(self._console, "checking", steps.describe):
            checked.entries = await audit.check_entries(
                after.values(), versions, moved, self._history.reads, steps.one
            )
        steps = Steps("keys", len(facts.keys))
        async with Progress(self._console, "checking", steps.describe):
            await audit.check_look_ups(facts.keys.values(), steps.one)
        return checked


@contextmanager
def _stopped_by_interrupt() -> Iterator[asyncio.Event]:
    """The first Ctrl-C ends the load and goes on to the verdict; the second ends everything."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        loop.remove_signal_handler(signal.SIGINT)
        stop.set()

    loop.add_signal_handler(signal.SIGINT, interrupted)
    try:
        yield stop
    finally:
        loop.remove_signal_handler(signal.SIGINT)
