"""`loadgen replay`: posts every row of a file once, however often it is sent or interrupted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from rich.console import Console

from loadgen import checker, result, wire
from loadgen.accounts import open_accounts
from loadgen.audit import Audit, Findings
from loadgen.checker import Breach, Facts
from loadgen.client import Client
from loadgen.database import verify_ledger
from loadgen.history import History, Payment
from loadgen.latency import Latencies
from loadgen.pacing import Pace, closed_model
from loadgen.progress import Progress, Steps
from loadgen.purchases import CUSTOMERS, MERCHANT, Expected, Purchase, read_purchases
from loadgen.result import Checked, Result
from loadgen.settle import Settler
from loadgen.target import Target

SOON = 200
"""A duplicate that comes soon comes within so many rows."""


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    file: str
    seed: int
    duplicates: float = 0.3
    ledger: str = "main"
    clients: int = 64
    patience: float = 120.0
    """Seconds for which a request is sent again before it is given up."""


class Sending(msgspec.Struct, frozen=True):
    """A row on its way: once, or twice at the same moment; or a later duplicate of it."""

    kind: str
    payment: Payment
    copies: int = 1


def sendings(purchases: list[Purchase], duplicates: float, seed: int) -> list[Sending]:
    """Give the rows in order, with a share of them sent twice: at once, soon, or any time later."""
    rng = random.Random(seed)
    placed: list[tuple[float, Sending]] = []
    for row, purchase in enumerate(purchases):
        payment = purchase.payment()
        draw = rng.random()
        if draw < duplicates / 3:
            placed.append((row, Sending("race", payment, copies=2)))
            continue
        placed.append((row, Sending("payment", payment)))
        if draw < duplicates:
            reach = SOON if draw < duplicates * 2 / 3 else len(purchases) - row
            place = row + 0.5 + rng.random() * reach
            placed.append((place, Sending("duplicate", payment)))
    placed.sort(key=lambda pair: pair[0])
    return [sending for _, sending in placed]


class Replay:
    """One replay: what it sent, what was measured, and what was found wrong."""

    def __init__(
        self, options: ReplayOptions, target: Target, dsn: str | None, console: Console
    ) -> None:
        self._options = options
        self._target = target
        self._dsn = dsn
        self._console = console
        self._history = History()
        self._latencies = Latencies()
        self._findings = Findings()
        self._pace = Pace()

    async def __call__(self) -> Result:
        """Open the accounts, send the rows, check, and give the result."""
        options = self._options
        purchases = read_purchases(Path(options.file))
        expected = Expected.of(purchases)
        async with Client(self._target, options.ledger, options.clients) as client:
            settler = Settler(client, self._history, lambda sent: sent + options.patience)
            audit = Audit(settler, options.clients, self._findings)
            await self._open(settler, expected)
            version_before = (await audit.accounts(MERCHANT))[MERCHANT].version
            requests, start = client.requests, time.perf_counter()
            await self._send(settler, sendings(purchases, options.duplicates, options.seed))
            requests, seconds = client.requests - requests, time.perf_counter() - start
            facts = checker.gather(self._history)
            checked = await self._check(audit, facts, expected)
        if self._dsn is not None:
            self._findings.add(await verify_ledger(self._dsn))
            checked.verify_ledger = True
        new = posted_since(facts, version_before)
        return Result(
            command="replay",
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
            notes={
                "posted by this run": new,
                "replays of earlier runs": checked.payments - new,
                "payments in the file": expected.payments,
                "refused, nothing written": checked.refusals,
                "sum of the file, and the merchant's balance": expected.total,
            },
        )

    async def _open(self, settler: Settler, expected: Expected) -> None:
        documents = expected.accounts()
        steps = Steps("opened", len(documents))
        async with Progress(self._console, "accounts", steps.describe):
            await open_accounts(settler, documents, self._options.clients, steps.one)

    async def _send(self, settler: Settler, items: list[Sending]) -> None:
        async def perform(sending: Sending, start: float) -> None:
            if sending.copies == 1:
                await settler.payment(sending.payment)
            else:
                await asyncio.gather(*map(settler.payment, [sending.payment] * sending.copies))
            self._latencies.record(sending.kind, time.perf_counter() - start)

        def describe() -> Mapping[str, str]:
            counts = self._history.counts
            unknown = sum(count for label, count in counts.items() if label.startswith("unknown"))
            return {
                "sent": f"{self._pace.started:,} of {len(items):,}",
                "posted": f"{counts['posted']:,}",
                "replayed": f"{counts['posted, replayed']:,}",
                "unknown": f"{unknown:,}",
            }

        async with Progress(self._console, "replay", describe):
            clients = self._options.clients
            await closed_model(iter(items), perform, self._pace, asyncio.Event(), clients=clients)

    async def _check(self, audit: Audit, facts: Facts, expected: Expected) -> Checked:
        findings = self._findings
        findings.add(checker.check_facts(facts))
        moved, clashes = checker.acknowledged_movements(facts)
        findings.add(clashes)
        accounts = await audit.accounts(CUSTOMERS) | await audit.accounts(MERCHANT)
        findings.add(check_totals(expected, accounts))

        checked = result.count_checked(facts, self._history)
        checked.accounts = len(expected.spent) + 1
        merchant = [accounts[MERCHANT]]
        # Every payment has its entry here, so this is all of them, each exactly once.
        checked.entries = await audit.check_entries(merchant, {}, moved, (), lambda: None)
        refused = [key for key in facts.keys.values() if not any(key.stored())]
        steps = Steps("refused keys", len(refused))
        async with Progress(self._console, "checking", steps.describe):
            await audit.check_look_ups(refused, steps.one)
        return checked


def check_totals(expected: Expected, accounts: Mapping[str, wire.Account]) -> Iterator[Breach]:
    """Every account holds what the file says, in as many entries as the file has payments."""
    wanted = {account: (-spent, times) for account, (spent, times) in expected.spent.items()}
    wanted[MERCHANT] = (expected.total, expected.payments)
    for code, (balance, version) in wanted.items():
        account = accounts.get(code)
        if account is None:
            yield Breach("missing_account", "the account is not there", account=code)
        elif (int(account.balance), account.version) != (balance, version):
            yield Breach(
                "wrong_balance",
                f"the balance is {account.balance} after {account.version} entries;"
                f" the file makes it {balance} after {version}",
                account=code,
            )


def posted_since(facts: Facts, version_before: int) -> int:
    """Count the payments that the merchant did not have before."""
    return sum(
        any(
            entry.account == MERCHANT and entry.version > version_before
            for entry in document.entries
        )
        for key in facts.keys.values()
        for document in checker.posted_documents(key)
    )
