"""What a run came to: its figures, its verdict, and the evidence against a broken one."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import msgspec

from loadgen import evidence
from loadgen.audit import AuditFailed, Findings
from loadgen.check.ledger import LedgerUnread
from loadgen.checker import Facts
from loadgen.client import Client
from loadgen.database import CannotVerify, balances_by_version, verify_ledger
from loadgen.history import History, Outcome
from loadgen.latency import Latencies, Percentiles
from loadgen.metrics import MetricsUnread, auditor, check_auditor
from loadgen.pacing import Pace
from loadgen.served import Claims, Least, Seen, check_sessions, count
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
    reads_by_sql: bool = False
    """Whether every value that was served was held against ledger_entries."""
    verify_ledger: bool = False
    not_checked: str | None = None
    """Why the checks did not come to their end."""
    lacking: list[str] = []
    """What was not seen often enough to say anything about it."""


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
    seen: Seen
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
        self.seen = Seen()
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
        except (AuditFailed, CannotVerify, LedgerUnread, MetricsUnread, TargetUnknown) as error:
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

    async def check_reads(self, dsn: str | None, target: Target, ledger: str, prefix: str) -> None:
        """Judge what was served: by sessions, and by SQL when there is a DSN."""
        reads = self.history.reads
        self.seen = count(reads)
        self.checked.reads = len(reads)
        self.findings.add(check_sessions(reads))
        if dsn := dsn or target.dsn():
            async with balances_by_version(dsn, ledger, prefix) as entries:
                self.findings.add(await Claims(reads).check(entries))
            self.checked.reads_by_sql = True

    async def ask_auditor(self, target: Target) -> None:
        """See whether the service has found itself wrong."""
        self.seen.audited, mismatches = await auditor(target.url)
        self.findings.add(check_auditor(mismatches))

    def want(self, least: Least) -> None:
        """Too little seen is no verdict."""
        self.checked.lacking = list(least.lacking(self.seen))

    def close(
        self, command: str, seed: int, options: msgspec.Struct, notes: Mapping[str, int]
    ) -> Result:
        """Draw the line and give the verdict."""
        if not self.findings.sound:
            verdict = BROKEN
        elif self.checked.not_checked is not None or self.checked.lacking:
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
            seen=self.seen,
            breaches=dict(self.findings.counts),
            evidence=evidence.in_words(self.findings.breaches, self.history),
            notes=dict(notes),
        )
