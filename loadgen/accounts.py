"""The accounts of a run: its own, named after it, opened and funded before the load starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from loadgen import wire
from loadgen.history import Payment
from loadgen.pacing import for_each
from loadgen.settle import Abandoned, Settler

CURRENCY = "USD"
BATCH = 200
RICH, POOR, POOR_EVERY = 100_000, 500, 10
HOT = 10**9


class SetupFailed(Exception):
    """The ledger did not take the accounts; there is nothing to measure."""


class Accounts(msgspec.Struct, frozen=True):
    """Who takes part. Every payment of a run stays among them, so their sum stays zero."""

    run_id: str
    prefix: str
    bank: str
    """No minimum: all the money comes from here."""
    hot: str
    """Takes part in a large share of the payments, with plenty of money."""
    dry: str
    """Takes part in many, with no money but what it is sent: a race at the minimum."""
    full: str
    """Takes nothing: its maximum is 0."""
    ordinary: tuple[str, ...]
    """Every tenth of these is poor."""

    @classmethod
    def of_run(cls, run_id: str, count: int) -> Accounts:
        """Name the accounts of a run."""
        prefix = f"load:{run_id}:"
        ordinary = tuple(f"{prefix}a{number:06}" for number in range(count))
        return cls(
            run_id,
            prefix,
            f"{prefix}bank",
            f"{prefix}hot",
            f"{prefix}dry",
            f"{prefix}full",
            ordinary,
        )

    def all(self) -> tuple[str, ...]:
        """Give every code."""
        return (self.bank, self.hot, self.dry, self.full, *self.ordinary)

    def documents(self) -> list[dict[str, Any]]:
        """Give the bodies that create them."""
        limits: dict[str, dict[str, Any]] = {
            self.bank: {"type": "asset", "min_balance": None},
            self.full: {"max_balance": "0"},
        }
        return [document(code) | limits.get(code, {}) for code in self.all()]

    def newcomer(self, number: int) -> str:
        """Name an account that is opened while the load goes on."""
        return f"{self.prefix}n{number:06}"

    def funding(self) -> list[Payment]:
        """Give the payments that put money into them."""
        amounts = {self.hot: HOT} | {
            code: POOR if number % POOR_EVERY == 0 else RICH
            for number, code in enumerate(self.ordinary)
        }
        return [
            Payment(
                f"{self.run_id}-fund-{code}",
                wire.encode(
                    {"from": self.bank, "to": code, "amount": str(amount), "currency": CURRENCY}
                ),
                ("posted",),
            )
            for code, amount in amounts.items()
        ]


def document(code: str) -> dict[str, Any]:
    """Give the body that creates an ordinary account."""
    return {"code": code, "currency": CURRENCY, "type": "liability", "min_balance": "0"}


async def open_accounts(
    settler: Settler, documents: Sequence[dict[str, Any]], clients: int, done: Callable[[], None]
) -> int:
    """Create the accounts that are not there yet; give how many were."""
    created = 0

    async def open_one(document: dict[str, Any]) -> None:
        nonlocal created
        try:
            answer = await settler.write("accounts", wire.encode(document))
        except Abandoned:
            raise SetupFailed(f"account {document['code']} could not be created in time") from None
        if answer.status not in (200, 201):
            text = answer.body.decode(errors="replace")
            raise SetupFailed(f"account {document['code']} was refused: {answer.status} {text}")
        created += answer.status == 201
        done()

    await for_each(documents, open_one, clients)
    return created


async def fund(settler: Settler, payments: Sequence[Payment]) -> None:
    """Put money into the accounts, by batches."""
    for start in range(0, len(payments), BATCH):
        await settler.batch(payments[start : start + BATCH])
