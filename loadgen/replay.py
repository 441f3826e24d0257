"""`loadgen replay`: posts every row of a file once, however often it is sent or interrupted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from rich.console import Console

from loadgen import checker, wire
from loadgen.accounts import open_accounts
from loadgen.audit import Audit
from loadgen.checker import Breach, Facts
from loadgen.client import Client
from loadgen.history import Payment
from loadgen.pacing import closed_model
from loadgen.progress import Progress, Steps
from loadgen.purchases import CUSTOMERS, MERCHANT, Expected, Purchase, read_purchases
from loadgen.result import Book, Result
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
        self._book = Book()

    async def __call__(self) -> Result:
        """Open the accounts, send the rows, check, and give the result."""
        options, book = self._options, self._book
        purchases = read_purchases(Path(options.file))
        expected = Expected.of(purchases)
        async with Client(self._target, options.ledger) as client:
            settler = Settler(client, book.history, lambda sent: sent + options.patience)
            audit = Audit(settler, options.clients, book.findings)
            await self._open(settler, expected)
            version_before = (await audit.accounts(MERCHANT))[MERCHANT].version
            with book.measuring(client):
                await self._send(settler, sendings(purchases, options.duplicates, options.seed))
            facts = checker.gather(book.history)
            with book.checking():
                await self._check(audit, facts, expected)
                await book.verify_ledger(self._dsn, self._target)
        new = posted_since(facts, version_before)
        notes = {
            "posted by this run": new,
            "replays of earlier runs": book.checked.payments - new,
            "payments in the file": expected.payments,
            "refused, nothing written": book.checked.refusals,
            "sum of the file, and the merchant's balance": expected.total,
        }
        return book.close("replay", options.seed, options, notes)

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
            self._book.latencies.record(sending.kind, time.perf_counter() - start)

        def describe() -> Mapping[str, str]:
            counts = self._book.history.counts
            return {
                "sent": f"{self._book.pace.started:,} of {len(items):,}",
                "posted": f"{counts['posted']:,}",
                "replayed": f"{counts['posted, replayed']:,}",
                "unknown": f"{self._book.history.unknown():,}",
            }

        async with Progress(self._console, "replay", describe):
            clients = self._options.clients
            await closed_model(
                iter(items), perform, self._book.pace, asyncio.Event(), clients=clients
            )

    async def _check(self, audit: Audit, facts: Facts, expected: Expected) -> None:
        book, findings = self._book, self._book.findings
        book.count(facts)
        findings.add(checker.check_facts(facts))
        moved, clashes = checker.acknowledged_movements(facts)
        findings.add(clashes)
        accounts = await audit.accounts(CUSTOMERS) | await audit.accounts(MERCHANT)
        findings.add(check_totals(expected, accounts))
        book.checked.accounts = len(expected.spent) + 1

        merchant = [accounts[MERCHANT]]
        # Every payment has its entry here, so this is all of them, each exactly once.
        steps = Steps("merchant", 1)
        async with Progress(self._console, "checking", steps.describe):
            book.checked.entries = await audit.check_entries(merchant, {}, moved, (), steps.one)
        refused = [key for key in facts.keys.values() if not any(key.stored())]
        steps = Steps("refused keys", len(refused))
        async with Progress(self._console, "checking", steps.describe):
            await audit.check_look_ups(refused, steps.one)


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
