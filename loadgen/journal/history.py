"""The history of a run that may be killed at any moment, in the shape the settler writes to."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from loadgen.history import Answer, Outcome, Payment, Record, classify, label
from loadgen.journal.records import (
    FORMAT,
    Answered,
    Begin,
    End,
    Invoke,
    Lost,
    Mark,
    Served,
    text,
)
from loadgen.journal.writer import Journal

_NO_HEADERS: Mapping[str, str] = {}


class Observer(Protocol):
    """Is told what attempts came to, for the timeline."""

    def ended(self, outcome: Outcome, replayed: bool, seconds: float) -> None:
        """Take note of an attempt's end."""


class DurableHistory:
    """Keeps nothing in memory but what is in flight: the file is the history."""

    def __init__(
        self, path: Path, *, run: str, seed: int, ledger: str, prefix: str, observer: Observer
    ) -> None:
        self._journal = Journal(path)
        self._began = time.perf_counter()
        self._observer = observer
        self._attempts = 0
        self._requests = 0
        self._sessions = 0
        self.in_flight = 0
        """Attempts on their way at this moment."""
        self.counts: Counter[str] = Counter()
        """Attempts by what came of them."""
        self._journal.append(Begin(FORMAT, run, seed, ledger, prefix))

    def open_request(self) -> int:
        """Number a new try-until-definite."""
        self._requests += 1
        return self._requests

    def open_session(self) -> int:
        """Number a new session of reads and payments, one after the other."""
        self._sessions += 1
        return self._sessions

    def sending(self, request: int, payment: Payment) -> Record:
        """Open the record of an attempt; nothing may be sent before `kept` has returned."""
        self._attempts += 1
        record = Record(request, payment, time.perf_counter(), number=self._attempts)
        self._journal.append(
            Invoke(
                record.number,
                self._at(record.sent_at),
                request,
                payment.key,
                text(payment.body),
            )
        )
        self.in_flight += 1
        return record

    async def kept(self) -> None:
        """Return when all invokes so far are on disk."""
        await self._journal.durable()

    def answered(
        self,
        record: Record,
        answer: Answer,
        replayed: bool,
        headers: Mapping[str, str] = _NO_HEADERS,
        url: str = "",
    ) -> None:
        """Close a record with the answer that came."""
        record.done_at = time.perf_counter()
        record.outcome, record.code = classify(answer)
        record.replayed = replayed
        record.answer = answer
        record.tokens = headers.get("Payledger-Tokens", "")
        self._journal.append(
            Answered(
                record.number,
                self._at(record.done_at),
                answer.status,
                text(answer.body),
                replayed,
                answer.etag,
                answer.content_type,
                answer.location,
                record.tokens,
                url,
            )
        )
        self._close(record)

    def lost(self, record: Record, reason: str) -> None:
        """Close a record whose answer never came."""
        record.done_at = time.perf_counter()
        record.code = reason
        self._journal.append(Lost(record.number, self._at(record.done_at), reason))
        self._close(record)

    def served(self, read: Served) -> None:
        """Write down a read that was answered."""
        self._journal.append(read)

    def mark(self, fault: str, event: str, **more: int | float | str | bool) -> int:
        """Write down what is done to the system; give the time of it."""
        at = self._at(time.perf_counter())
        self._journal.append(Mark(at, fault, event, **more))  # type: ignore[arg-type]
        return at

    def now(self) -> int:
        """Give the microseconds since the history began."""
        return self._at(time.perf_counter())

    async def close(self) -> None:
        """Say that the run came to its end."""
        self._journal.append(End(self.now()))
        await self._journal.close()

    def _at(self, seconds: float) -> int:
        return round((seconds - self._began) * 1_000_000)

    def _close(self, record: Record) -> None:
        self.in_flight -= 1
        self.counts[label(record)] += 1
        done_at = record.sent_at if record.done_at is None else record.done_at
        self._observer.ended(record.outcome, record.replayed, done_at - record.sent_at)
