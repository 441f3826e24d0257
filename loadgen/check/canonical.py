"""One form for what a payment says, whether a request, an answer or the ledger's rows say it.

Digests of 16 bytes stand for contents in the index: 10 million requests differ in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from loadgen import wire

REMEMBERED = 1024
"""Bodies whose digest is kept: a retry says the same again, mostly soon."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


class Row(NamedTuple):
    """An entry as the ledger has it."""

    posting_no: int
    account: str
    currency: str
    amount: int
    balance_after: int
    version: int


class PaymentRow(NamedTuple):
    """A payment as the ledger has it; times in microseconds since 1970."""

    payment: str
    description: str | None
    metadata: str
    effective_at: int | None
    posted_at: int


def digest(*parts: str | bytes | int | None) -> bytes:
    """Give 16 bytes that stand for these parts and no others: each goes in with its length."""
    said: list[bytes] = []
    for part in parts:
        data = part if isinstance(part, bytes) else repr(part).encode()
        said += (b"%d:" % len(data), data)
    return blake2b(b"".join(said), digest_size=16).digest()


@lru_cache(REMEMBERED)
def of_request(body: str) -> bytes:
    """Give the content that a request asks for; of one that makes no sense, its text."""
    try:
        request = wire.decode_request(body.encode())
        postings = [
            (number, step.source, step.target, int(step.amount), step.currency)
            for number, step in enumerate(request.all_postings(), start=1)
        ]
        effective_at = None if request.effective_at is None else microseconds(request.effective_at)
    except (msgspec.DecodeError, ValueError):
        return digest("malformed", body)
    return _content(postings, request.description, _plain(request.metadata), effective_at)


def of_rows(payment: PaymentRow, rows: Iterable[Row]) -> bytes:
    """Give the content that the ledger's rows amount to."""
    sides: dict[int, list[Row]] = {}
    for row in rows:
        sides.setdefault(row.posting_no, []).append(row)
    postings = []
    for number, pair in sorted(sides.items()):
        if len(pair) != 2 or pair[0].amount >= 0 or pair[0].amount + pair[1].amount != 0:
            return digest("no postings", payment.payment)
        debit, credit = pair
        postings.append((number, debit.account, credit.account, credit.amount, credit.currency))
    metadata = _plain(json.loads(payment.metadata))
    return _content(postings, payment.description, metadata, payment.effective_at)


def claim_of_answer(document: wire.PaymentDocument) -> bytes:
    """Give what a posted answer says that the ledger holds."""
    rows = [
        Row(
            entry.posting_no,
            entry.account,
            entry.currency,
            int(entry.amount),
            int(entry.balance_after),
            entry.version,
        )
        for entry in document.entries
    ]
    return _claim(
        PaymentRow(
            document.payment_id,
            document.description,
            _plain(document.metadata),
            microseconds(document.effective_at),
            microseconds(document.posted_at),
        ),
        rows,
    )


def claim_of_rows(payment: PaymentRow, rows: Iterable[Row]) -> bytes:
    """Give what the ledger holds, as a posted answer should say it."""
    return _claim(
        payment._replace(
            metadata=_plain(json.loads(payment.metadata)),
            effective_at=payment.posted_at
            if payment.effective_at is None
            else payment.effective_at,
        ),
        rows,
    )


def microseconds(text: str) -> int:
    """Give the microseconds since 1970 of an ISO 8601 time."""
    return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND


def _content(
    postings: list[tuple[int, str, str, int, str]],
    description: str | None,
    metadata: str,
    effective_at: int | None,
) -> bytes:
    return digest("content", repr(postings), description, metadata, effective_at)


def _claim(payment: PaymentRow, rows: Iterable[Row]) -> bytes:
    return digest("claim", repr(tuple(payment)), repr(sorted(map(tuple, rows))))


def _plain(value: Any) -> str:
    return _encode(value)
