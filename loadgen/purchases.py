"""The CSV file of a replay, and the payments that its rows are.

A row always gives the same key and the same bytes, whoever replays it and whenever.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import msgspec

from loadgen import wire
from loadgen.history import Payment

MERCHANT = "merchant:cdnow"
CUSTOMERS = "customers:"
CURRENCY = "USD"
COLUMNS = ("purchase", "customer", "date", "quantity", "amount_minor")
_ID = re.compile(r"[A-Za-z0-9_-]+")


class FileMalformed(Exception):
    """The file is not what a replay reads; the message names the line."""


class Purchase(msgspec.Struct, frozen=True):
    """A row."""

    purchase: str
    customer: str
    date: date
    quantity: int
    amount: int

    @property
    def key(self) -> str:
        """The idempotency key: it never depends on when or by whom the row is sent."""
        return f"cdnow-{self.purchase}"

    def payment(self) -> Payment:
        """Give the request that the row is."""
        body = {
            "from": CUSTOMERS + self.customer,
            "to": MERCHANT,
            "amount": str(self.amount),
            "currency": CURRENCY,
            "description": f"purchase {self.purchase}",
            "metadata": {"quantity": self.quantity},
            "effective_at": f"{self.date.isoformat()}T00:00:00Z",
        }
        expects = ("posted",) if self.amount > 0 else ("amount_not_positive",)
        return Payment(self.key, wire.encode(body), expects)


class Expected(msgspec.Struct, frozen=True):
    """What the file adds up to, computed from the file alone."""

    payments: int
    refused: int
    total: int
    spent: dict[str, tuple[int, int]]
    """By customer account: what was spent, and in how many payments."""

    @classmethod
    def of(cls, purchases: list[Purchase]) -> Expected:
        """Add a file up."""
        spent: Counter[str] = Counter()
        times: Counter[str] = Counter()
        for purchase in purchases:
            account = CUSTOMERS + purchase.customer
            paid = max(purchase.amount, 0)
            spent[account] += paid
            times[account] += paid > 0
        return cls(
            payments=times.total(),
            refused=len(purchases) - times.total(),
            total=spent.total(),
            spent={account: (spent[account], times[account]) for account in spent},
        )

    def accounts(self) -> list[dict[str, Any]]:
        """Give the bodies that create the accounts: the merchant's, then the customers'."""
        merchant: dict[str, Any] = {
            "code": MERCHANT,
            "currency": CURRENCY,
            "type": "income",
            "min_balance": "0",
        }
        customer: dict[str, Any] = {"currency": CURRENCY, "type": "liability", "min_balance": None}
        return [merchant, *({"code": code} | customer for code in self.spent)]


def read_purchases(path: Path) -> list[Purchase]:
    """Read the whole file; raises FileMalformed before anything is sent."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            purchases = list(_rows(csv.DictReader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileMalformed(f"cannot read {path}: {error}") from error
    seen = Counter(purchase.purchase for purchase in purchases)
    twice = [number for number, times in seen.items() if times > 1]
    if twice:
        raise FileMalformed(f"purchase {twice[0]} is there more than once")
    if not purchases:
        raise FileMalformed("there are no purchases in it")
    return purchases


def _rows(reader: csv.DictReader[str]) -> Iterator[Purchase]:
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise FileMalformed(f"columns are missing: {', '.join(sorted(missing))}")
    for row in reader:
        try:
            if not (_ID.fullmatch(row["purchase"]) and _ID.fullmatch(row["customer"])):
                raise ValueError("purchase and customer must be letters, digits, _ and -")
            yield Purchase(
                row["purchase"],
                row["customer"],
                date.fromisoformat(row["date"]),
                int(row["quantity"]),
                int(row["amount_minor"]),
            )
        except (TypeError, ValueError) as error:
            raise FileMalformed(f"line {reader.line_num}: {error}") from error
