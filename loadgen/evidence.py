"""Breaches in words, each with every attempt under its key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec

from loadgen.checker import Breach
from loadgen.history import History, Record

SHOWN_OF_A_RULE, SHOWN_RULES = 2, 8
SHOWN_ATTEMPTS = 40


def in_words(breaches: list[Breach], history: History) -> list[dict[str, Any]]:
    """Give the first breaches of each rule with every attempt under their keys."""
    shown = list(_first_of_each(breaches))
    attempts: dict[str, list[Record]] = {breach.key: [] for breach in shown if breach.key}
    if attempts:
        for record in history:
            of_key = attempts.get(record.payment.key)
            if of_key is not None and len(of_key) < SHOWN_ATTEMPTS:
                of_key.append(record)
    start = next(iter(history)).sent_at if len(history) else 0.0
    return [_in_words(breach, attempts.get(breach.key or "", []), start) for breach in shown]


def _first_of_each(breaches: list[Breach]) -> Iterator[Breach]:
    shown: Counter[str] = Counter()
    for breach in breaches:
        shown[breach.rule] += 1
        if shown[breach.rule] <= SHOWN_OF_A_RULE and len(shown) <= SHOWN_RULES:
            yield breach


def _in_words(breach: Breach, attempts: list[Record], start: float) -> dict[str, Any]:
    words: dict[str, Any] = {"rule": breach.rule, "says": breach.says}
    if breach.key is not None:
        words["key"] = breach.key
    if breach.account is not None:
        words["account"] = breach.account
    words |= {name: _plain(value) for name, value in breach.evidence.items()}
    if attempts:
        words["attempts"] = [
            {
                "request": record.request,
                "sent": f"{record.sent_at - start:.6f} s",
                "done": None if record.done_at is None else f"{record.done_at - start:.6f} s",
                "outcome": record.outcome.value,
                "code": record.code,
                "replayed": record.replayed,
                "body": record.payment.body.decode(errors="backslashreplace"),
                "answer": _plain(record.answer),
            }
            for record in attempts
        ]
    return words


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    elif isinstance(value, msgspec.Struct):
        value = msgspec.structs.asdict(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in value]
    return value
