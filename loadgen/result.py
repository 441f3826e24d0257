"""What a run came to: the figures, the verdict, and the evidence against a broken one."""

from __future__ import annotations

from typing import Any

import msgspec

from loadgen.audit import Findings
from loadgen.checker import Breach, Facts
from loadgen.history import History, Outcome, Record
from loadgen.latency import Percentiles
from loadgen.pacing import Pace

SHOWN_BREACHES = 5
SHOWN_ATTEMPTS = 40


class Checked(msgspec.Struct):
    """How much the verdict rests on."""

    payments: int = 0
    """Keys with one acknowledged payment."""
    replays: int = 0
    """Answers that repeated an earlier one."""
    refusals: int = 0
    """Keys refused: for business reasons, or as invalid."""
    conflicts: int = 0
    """Answers that refused other content under a used key."""
    entries: int = 0
    reads: int = 0
    accounts: int = 0
    verify_ledger: bool = False


class Result(msgspec.Struct, kw_only=True):
    """Everything that --json writes."""

    command: str
    verdict: str
    seed: int
    options: dict[str, Any]
    seconds: float
    requests: int
    requests_per_second: float
    pace: Pace
    latencies_ms: dict[str, Percentiles]
    outcomes: dict[str, int]
    checked: Checked
    breaches: dict[str, int]
    evidence: list[dict[str, Any]]
    notes: dict[str, int | str] = {}


def count_checked(facts: Facts, history: History) -> Checked:
    """Count what the history acknowledges."""
    checked = Checked()
    for key in facts.keys.values():
        outcomes = {stored.outcome for _, stored in key.stored()}
        invalid = any(set(content.refused) - {"key_reused"} for content in key.contents.values())
        checked.payments += Outcome.POSTED in outcomes
        checked.refusals += Outcome.REJECTED in outcomes or (not outcomes and invalid)
    for record in history:
        checked.replays += record.replayed
        checked.conflicts += record.outcome is Outcome.CONFLICT
    return checked


def verdict(findings: Findings) -> str:
    """Say it in a word."""
    return "sound" if findings.sound else "broken"


def evidence(findings: Findings, history: History) -> list[dict[str, Any]]:
    """Give the first breaches with every attempt under their keys, in words."""
    shown = findings.breaches[:SHOWN_BREACHES]
    attempts: dict[str, list[Record]] = {breach.key: [] for breach in shown if breach.key}
    if attempts:
        for record in history:
            of_key = attempts.get(record.payment.key)
            if of_key is not None and len(of_key) < SHOWN_ATTEMPTS:
                of_key.append(record)
    start = next(iter(history)).sent_at if len(history) else 0.0
    return [_in_words(breach, attempts.get(breach.key or "", []), start) for breach in shown]


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
