"""What the API shows: amounts as decimal strings, times in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from datetime import datetime

    from service.cache.model import CachedBalance
    from service.ledger.gateway import Account, Entry, Ledger


def ledger(ledger: Ledger) -> dict[str, Any]:
    """A ledger. Its retention is in whole seconds, null for ever."""
    retention = ledger.idempotency_retention
    return {
        "name": ledger.name,
        "idempotency_retention_seconds": (
            None if retention is None else int(retention.total_seconds())
        ),
        "metadata": _raw(ledger.metadata),
        "created_at": _utc(ledger.created_at),
    }


def account(account: Account) -> dict[str, Any]:
    """An account with its state."""
    return {
        "code": account.code,
        "currency": account.currency,
        "type": account.type,
        "status": account.status,
        "balance": account.balance,
        "held": account.held,
        "available": account.available,
        "version": account.version,
        "min_balance": account.min_balance,
        "max_balance": account.max_balance,
        "metadata": _raw(account.metadata),
        "created_at": _utc(account.created_at),
    }


class Balance(msgspec.Struct, gc=False):
    """A balance as of a version."""

    account: str
    currency: str
    version: int
    balance: str
    held: str
    available: str


def balance(known: CachedBalance) -> Balance:
    """What is free of it is worked out here."""
    balance, held = known.balance, known.held
    available = balance if held == "0" else str(int(balance) - int(held))
    return Balance(known.code, known.currency, known.version, balance, held, available)


def entry(entry: Entry) -> dict[str, Any]:
    """One change of an account."""
    return {**entry._asdict(), "posted_at": _utc(entry.posted_at)}


def _raw(json: str) -> msgspec.Raw:
    return msgspec.Raw(json.encode())


def _utc(at: datetime) -> str:
    """As SQL writes it: microseconds, and Z. The driver gives every time in UTC."""
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
