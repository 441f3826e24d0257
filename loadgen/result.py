"""What a run came to: its figures, its verdict, and the evidence against a broken one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from loadgen import evidence
from loadgen.audit import AuditFailed, Findings
from loadgen.checker import Facts
from loadgen.client import Client
from loadgen.database import CannotVerify, verify_ledger
from loadgen.history import History, Outcome
from loadgen.latency import Latencies, Percentiles
from loadgen.pacing import Pace
from loadgen.target import Target, TargetUnknown

SOUND, BROKEN, UNCHECKED = "sound", "broken", "unchecked"


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
    not_checked: str | None = None
    """Why the checks did not come to their end."""


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
    notes: dict[str, int]


class Book:
    """What is written down while a run or a replay goes on."""

    def __init__(self) -> None:
        self.history = History()
        self.latencies = Latencies()
        self.findings = Findings()
        self.pace = Pace()
        self.checked = Checked()
        self._requests = 0
        self._seconds = 0.0

    @contextmanager
    def measuring(self, client: Client) -> Iterator[None]:
        """Count the requests and the time of what is done inside."""
        requests, start = client.requests, time.perf_counter()
        yield
        self._requests = client.requests - requests
        self._seconds = time.perf_counter() - start

    @contextmanager
    def checking(self) -> Iterator[None]:
        """What cannot be checked is written down too: then nothing is sound."""
        try:
            yield
        except (AuditFailed, CannotVerify, TargetUnknown) as error:
            self.checked.not_checked = str(error)

    def count(self, facts: Facts) -> None:
        """Count what the history acknowledges."""
        checked = self.checked
        for key in facts.keys.values():
            outcomes = {stored.outcome for _, stored in key.stored()}
            refused = {code for content in key.contents.values() for code in content.refused}
            invalid = not outcomes and bool(refused - {"key_reused"})
            checked.payments += Outcome.POSTED in outcomes
            checked.refusals += Outcome.REJECTED in outcomes or invalid
        for record in self.history:
            checked.replays += record.replayed
            checked.conflicts += record.outcome is Outcome.CONFLICT

    async def verify_ledger(self, dsn: str | None, target: Target) -> None:
        """Ask the database itself, when its DSN is given, or told by what runs here."""
        if dsn := dsn or target.dsn():
            self.findings.add(await verify_ledger(dsn))
            self.checked.verify_ledger = True

    def close(
        self, command: str, seed: int, options: msgspec.Struct, notes: Mapping[str, int]
    ) -> Result:
        """Draw the line and give the verdict."""
        if not self.findings.sound:
            verdict = BROKEN
        elif self.checked.not_checked is not None:
            verdict = UNCHECKED
        else:
            verdict = SOUND
        return Result(
            command=command,
            verdict=verdict,
            seed=seed,
            options=msgspec.to_builtins(options),
            seconds=self._seconds,
            requests=self._requests,
            requests_per_second=self._requests / self._seconds if self._seconds else 0.0,
            pace=self.pace,
            latencies_ms=self.latencies.percentiles(),
            outcomes=dict(self.history.counts),
            checked=self.checked,
            breaches=dict(self.findings.counts),
            evidence=evidence.in_words(self.findings.breaches, self.history),
            notes=dict(notes),
        )
