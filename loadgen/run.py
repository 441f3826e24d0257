"""`loadgen run`: opens accounts, loads them, and holds the answers against the ledger."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec
from rich.console import Console

from loadgen import checker, wire
from loadgen.accounts import Accounts, fund, open_accounts
from loadgen.audit import Audit
from loadgen.client import Client
from loadgen.latency import ALL
from loadgen.load import Load
from loadgen.pacing import closed_model, open_model
from loadgen.progress import Describe, Progress, Steps
from loadgen.result import Book, Result
from loadgen.schedule import Mix, Schedule
from loadgen.served import Least
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
    least: Least = Least()


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
        self._book = Book()

    async def __call__(self) -> Result:
        """Open the accounts, load them, check, and give the result."""
        options, book = self._options, self._book
        async with Client(self._target, options.ledger) as client:
            patient = Settler(client, book.history, lambda sent: sent + PATIENCE)
            audit = Audit(patient, options.clients, book.findings)
            await self._open(patient)
            before = await audit.accounts(self._accounts.prefix)
            await fund(patient, self._accounts.funding())
            with book.measuring(client):
                await self._load(client)
            with book.checking():
                await self._check(audit, before)
                await book.check_reads(
                    self._dsn, self._target, options.ledger, self._accounts.prefix
                )
                await book.verify_ledger(self._dsn, self._target)
                if options.least.audited:
                    await book.ask_auditor(self._target)
                book.want(options.least)
        return book.close("run", options.seed, options, {})

    async def _open(self, settler: Settler) -> None:
        documents = self._accounts.documents()
        steps = Steps("opened", len(documents))
        async with Progress(self._console, "accounts", steps.describe):
            await open_accounts(settler, documents, self._options.clients, steps.one)

    async def _load(self, client: Client) -> None:
        options = self._options
        end = time.perf_counter() + options.seconds + options.grace
        settler = Settler(client, self._book.history, lambda _: end)
        load = Load(settler, self._book)
        schedule = Schedule(options.seed, self._accounts, options.mix)
        with _stopped_by_interrupt() as stop:
            async with Progress(self._console, "load", self._speedometer(client)):
                if options.model == "open":
                    await open_model(
                        schedule,
                        load.perform,
                        self._book.pace,
                        stop,
                        rate=options.rate,
                        seconds=options.seconds,
                        most_in_flight=MOST_IN_FLIGHT,
                    )
                else:
                    await closed_model(
                        schedule,
                        load.perform,
                        self._book.pace,
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
            so_far = self._book.latencies.of(ALL)
            counts = self._book.history.counts
            return {
                "requests/s": f"{speed:,.0f}",
                "in flight": f"{self._book.pace.in_flight:,}",
                "p50 ms": f"{so_far.p50:,.1f}",
                "p99 ms": f"{so_far.p99:,.1f}",
                "posted": f"{counts['posted']:,}",
                "replayed": f"{counts['posted, replayed']:,}",
                "reads": f"{len(self._book.history.reads):,}",
                "unknown": f"{self._book.history.unknown():,}",
            }

        return describe

    async def _check(self, audit: Audit, before: Mapping[str, wire.Account]) -> None:
        book, findings = self._book, self._book.findings
        facts = checker.gather(book.history)
        book.count(facts)
        findings.add(checker.check_facts(facts))
        moved, clashes = checker.acknowledged_movements(facts)
        findings.add(clashes)
        versions = {code: account.version for code, account in before.items()}
        findings.add(checker.check_first_seen(facts, versions))

        after = await audit.accounts(self._accounts.prefix)
        findings.add(checker.check_conserved(before.values(), after.values()))
        for code, account in after.items():
            findings.add(checker.check_balance(before.get(code), account, moved.get(code, {})))
        book.checked.accounts = len(after)
        steps = Steps("accounts", len(after))
        async with Progress(self._console, "checking", steps.describe):
            book.checked.entries = await audit.check_entries(
                after.values(), versions, moved, book.history.reads, steps.one
            )
        steps = Steps("keys", len(facts.keys))
        async with Progress(self._console, "checking", steps.describe):
            await audit.check_look_ups(facts.keys.values(), steps.one)


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
