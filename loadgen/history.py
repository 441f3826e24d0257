"""What was sent and what came back: one record per attempt, in the order of sending.

A record is opened before its request is sent and closed when the answer, or the lack of one, is
known, so that a record never closed counts as unknown.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Protocol

import msgspec

from loadgen import wire
from loadgen.headers import worker_of

STORED_REFUSALS = frozenset(
    {
        "account_closed",
        "account_frozen",
        "insufficient_funds",
        "balance_limit_exceeded",
        "balance_out_of_range",
    }
)
"""Business refusals: kept under the key, and answered the same to every retry."""

_UNKNOWN = "unknown: "
_NO_HEADERS: Mapping[str, str] = {}


class Outcome(Enum):
    """What an attempt came to."""

    POSTED = "posted"
    REJECTED = "rejected"
    """A business refusal, stored under the key."""
    CONFLICT = "conflict"
    """The key was used for other content."""
    INVALID = "invalid"
    """Refused without being stored."""
    UNKNOWN = "unknown"
    """No answer, or one that says: ask again with the same key."""


class Payment(msgspec.Struct, frozen=True, gc=False):
    """A payment as it is sent: every retry and duplicate shares these very objects."""

    key: str
    body: bytes
    expects: tuple[str, ...]
    """The codes this content may be answered with; "posted" is one of them."""
    quoted: bool = False
    """The key goes out as a quoted string, which names the same key."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What must be identical in every answer to one key; None where a batch item has no header."""

    status: int
    body: bytes
    content_type: str | None = None
    etag: str | None = None
    location: str | None = None

    def agrees_with(self, other: Answer) -> bool:
        """Say whether both are the same answer, as far as both tell."""
        return (
            self.status == other.status
            and self.body == other.body
            and _same(self.content_type, other.content_type)
            and _same(self.etag, other.etag)
            and _same(self.location, other.location)
        )


def _same(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


class Record(msgspec.Struct, gc=False):
    """One attempt. `request` numbers the try-until-definite that it belongs to."""

    request: int
    payment: Payment
    sent_at: float
    done_at: float | None = None
    outcome: Outcome = Outcome.UNKNOWN
    code: str = ""
    """The problem's code, "posted", or why there is no answer."""
    replayed: bool = False
    answer: Answer | None = None
    number: int = 0
    """Its number in a durable history."""
    tokens: str = ""
    """The read tokens that came with the answer."""
    worker: str = ""
    """The process that answered."""


class Read(msgspec.Struct, frozen=True, gc=False):
    """A balance that was served, with the version it claims, and what it was asked with."""

    account: str
    version: int
    balance: str
    held: str = "0"
    session: int = 0
    """Reads of one session are made one after the other; 0: of none."""
    asked: str = ""
    """The token it was asked with."""
    token: str = ""
    """The token it came with."""
    layer: str = ""
    worker: str = ""
    """The process that answered."""
    writer: str = ""
    """The process that acknowledged the payment which the token is of or after."""


class Notes(Protocol):
    """Where a settler writes down what it sends and what comes back."""

    def open_request(self) -> int:
        """Number a new try-until-definite."""

    def sending(self, request: int, payment: Payment) -> Record:
        """Open the record of an attempt."""

    async def kept(self) -> None:
        """Return when the records opened so far are safe: only then may their bytes be sent."""

    def answered(
        self,
        record: Record,
        answer: Answer,
        replayed: bool,
        headers: Mapping[str, str] = _NO_HEADERS,
        url: str = "",
    ) -> None:
        """Close a record with the answer that came."""

    def lost(self, record: Record, reason: str) -> None:
        """Close a record whose answer never came."""


class History:
    """Everything that happened, in memory."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.reads: list[Read] = []
        self.counts: Counter[str] = Counter()
        """Attempts by what came of them."""
        self._answers: dict[str, Answer] = {}
        self._requests = 0
        self._sessions = 0

    def open_request(self) -> int:
        """Number a new try-until-definite."""
        self._requests += 1
        return self._requests

    def open_session(self) -> int:
        """Number a new session of payments and reads, one after the other."""
        self._sessions += 1
        return self._sessions

    def sending(self, request: int, payment: Payment) -> Record:
        """Open the record of an attempt; call it before the first byte is sent."""
        record = Record(request, payment, time.perf_counter())
        self.records.append(record)
        return record

    async def kept(self) -> None:
        """Return at once: this history lives and dies with the run."""

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
        record.worker = worker_of(headers)
        if record.outcome in (Outcome.POSTED, Outcome.REJECTED):
            # Equal answers to one key share one object: a history of replays stays small.
            known = self._answers.setdefault(record.payment.key, answer)
            record.answer = known if known == answer else answer
        self.counts[label(record)] += 1

    def lost(self, record: Record, reason: str) -> None:
        """Close a record whose answer never came."""
        record.done_at = time.perf_counter()
        record.code = reason
        self.counts[label(record)] += 1

    def served(self, read: Read) -> None:
        """Remember a balance that a read returned."""
        self.reads.append(read)

    def unknown(self) -> int:
        """Count the attempts that had no definite answer."""
        return sum(count for label, count in self.counts.items() if label.startswith(_UNKNOWN))

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)


def classify(answer: Answer) -> tuple[Outcome, str]:
    """Give an answer's outcome and code; whatever is not definite is unknown."""
    if answer.status == 201:
        return Outcome.POSTED, "posted"
    code = _problem_code(answer)
    if answer.status >= 500 or answer.status in (408, 409, 425, 429) or answer.status < 400:
        return Outcome.UNKNOWN, code
    if code == "key_reused":
        return Outcome.CONFLICT, code
    if code in STORED_REFUSALS:
        return Outcome.REJECTED, code
    return Outcome.INVALID, code


def label(record: Record) -> str:
    """Say in a few words what an attempt came to."""
    if record.outcome is Outcome.UNKNOWN:
        return f"{_UNKNOWN}{record.code}"
    return f"{record.code}, replayed" if record.replayed else record.code


def _problem_code(answer: Answer) -> str:
    try:
        return wire.decode_problem(answer.body).code
    except msgspec.DecodeError:
        return f"http_{answer.status}"
