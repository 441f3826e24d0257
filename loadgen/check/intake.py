"""Reads the history once: attempts and reads go into the index, faults are judged on the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from loadgen import wire
from loadgen.check.canonical import REMEMBERED, claim_of_answer, digest, of_request
from loadgen.check.findings import Breach, Findings
from loadgen.check.index import Attempt, Index, Read
from loadgen.check.recovery import Recovery
from loadgen.check.windows import Windows
from loadgen.headers import parts
from loadgen.history import Answer, Outcome, classify
from loadgen.journal.reader import read
from loadgen.journal.records import Answered, Begin, End, Invoke, Lost, Mark, Served


class Counts(msgspec.Struct):
    """How much the verdict rests on."""

    attempts: int = 0
    replays: int = 0
    unknown: int = 0
    reads: int = 0
    read_tokens: int = 0
    """Reads that asked for a version."""
    other_history: int = 0
    """Reads answered 412."""
    keys: int = 0
    payments: int = 0
    refusals: int = 0
    conflicts: int = 0
    entries: int = 0
    accounts: int = 0
    faults: int = 0
    lost: int = 0
    """Keys whose acknowledged payment a failover that may lose some has lost."""
    lost_reads: int = 0
    """Reads that have shown what was lost then."""
    ended: bool = False
    """The history has its last line."""


class Intake:
    """The first pass. In memory: what is in flight, and the faults not yet recovered from."""

    def __init__(
        self, index: Index, findings: Findings, counts: Counts, accounts: Mapping[str, int]
    ) -> None:
        self._index = index
        self._findings = findings
        self._counts = counts
        self._accounts = accounts
        self._open: dict[int, tuple[int, Invoke]] = {}
        self._recovery = Recovery(findings)
        self._windows = Windows()

    def take(self, path: Path) -> Begin:
        """Read it all; give its first entry."""
        begin: Begin | None = None
        for place, entry in read(path):
            match entry:
                case Invoke():
                    self._open[entry.n] = (place, entry)
                    self._counts.attempts += 1
                case Answered():
                    self._answered(place, entry)
                case Lost():
                    self._close(entry.n, place, entry.why)
                case Served():
                    self._served(place, entry)
                case Mark():
                    self._counts.faults += entry.event == "start"
                    self._recovery.mark(place, entry)
                    self._windows.mark(place, entry)
                case End():
                    self._counts.ended = True
                    self._recovery.end(place, entry.at)
                case Begin():
                    begin = entry
        for n in list(self._open):
            self._close(n, None, "never closed")
        assert begin is not None  # noqa: S101 - read() begins with it
        return begin

    def _answered(self, place: int, answered: Answered) -> None:
        invoked, invoke = self._open.pop(answered.n)
        body = answered.body.encode()
        outcome, code = classify(Answer(answered.status, body))
        claim = payment = None
        if outcome is Outcome.POSTED:
            claim, payment = self._claim(place, invoke, answered, body)
        definite = outcome is not Outcome.UNKNOWN
        if definite:
            self._recovery.served(invoked, answered.at)
        self._counts.unknown += not definite
        self._counts.replays += answered.replayed
        headers = (answered.content_type, answered.etag, answered.location)
        self._index.add(
            Attempt(
                invoke.key,
                invoke.n,
                invoke.request,
                invoked,
                of_request(invoke.body),
                not definite,
                place,
                answered.at,
                outcome.value,
                code,
                answered.status,
                digest(answered.status, body),
                None if headers == (None, None, None) else digest(*headers),
                claim,
                payment,
                answered.replayed,
                self._windows.of_attempt(invoked),
            )
        )

    def _close(self, n: int, place: int | None, why: str) -> None:
        invoked, invoke = self._open.pop(n)
        self._counts.unknown += 1
        content = of_request(invoke.body)
        outcome = Outcome.UNKNOWN.value
        self._index.add(
            Attempt(
                invoke.key,
                n,
                invoke.request,
                invoked,
                content,
                1,
                place,
                None,
                outcome,
                why,
                0,
                *(None,) * 4,
                0,
                0,
            )
        )

    def _claim(
        self, place: int, invoke: Invoke, answered: Answered, body: bytes
    ) -> tuple[bytes | None, str | None]:
        try:
            document, claim = _understood(body)
        except (msgspec.DecodeError, ValueError) as error:
            self._findings.add(
                Breach(
                    "O1",
                    "answer_unreadable",
                    f"201, but the body is no payment: {error}",
                    invoke.key,
                    lines=(place,),
                )
            )
            return None, None
        self._check_tokens(place, invoke, answered, document)
        return claim, document.payment_id

    def _check_tokens(
        self, place: int, invoke: Invoke, answered: Answered, document: wire.PaymentDocument
    ) -> None:
        """A token that comes with an answer is the version that the payment made."""
        if not answered.tokens:
            return
        versions: dict[str, int] = {}
        for entry in document.entries:
            versions[entry.account] = max(entry.version, versions.get(entry.account, 0))
        told = {}
        for part in answered.tokens.split(","):
            code, _, token = part.strip().partition("=")
            found = parts(token)
            told[code] = found[0] if found else -1
        if told != versions:
            self._findings.add(
                Breach(
                    "O5",
                    "tokens_differ",
                    "the tokens are not the versions that the payment made",
                    invoke.key,
                    lines=(place,),
                    evidence={"tokens": told, "versions": versions},
                )
            )

    def _served(self, place: int, served: Served) -> None:
        self._counts.reads += 1
        self._counts.read_tokens += bool(served.token)
        self._counts.other_history += served.status == 412
        etag = (served.etag or "").strip('"')
        version, balance = -1, ""
        if served.status == 200:
            version, balance = _balance(served)
            if version < 0 or (etag not in (str(version), "") and not _names(etag, version)):
                says = "not a balance of the account, or the ETag names another version"
                self._read_breach(place, served, "read_malformed", says)
                return
        window = self._windows.of_read(served.at)
        if self._windows.is_over(etag, window):
            says = "a history that was given up is still shown"
            self._read_breach(place, served, "epoch_kept", says)
        account_id = self._accounts.get(served.account)
        if account_id is None:
            self._read_breach(place, served, "read_of_nothing", "the ledger has no such account")
            return
        self._index.add(
            Read(
                account_id,
                served.account,
                version,
                balance,
                place,
                served.at,
                served.session,
                served.token,
                etag,
                served.status,
                window,
            )
        )

    def _read_breach(self, place: int, served: Served, rule: str, says: str) -> None:
        evidence = {"etag": served.etag, "body": _shown(served.body)}
        self._findings.add(
            Breach("O5", rule, says, account=served.account, lines=(place,), evidence=evidence)
        )


@lru_cache(REMEMBERED)
def _understood(body: bytes) -> tuple[wire.PaymentDocument, bytes]:
    """Give the document of a posted answer, and what it claims; replays have it from the first."""
    document = wire.decode_payment(body)
    return document, claim_of_answer(document)


def _balance(served: Served) -> tuple[int, str]:
    """Give version and balance; -1 when it is not a balance of the account that was asked for."""
    try:
        balance = wire.decode_balance(served.body.encode())
        amount = str(int(balance.balance))
    except (msgspec.DecodeError, ValueError):
        return -1, ""
    return (balance.version, amount) if balance.account == served.account else (-1, "")


def _names(etag: str, version: int) -> bool:
    found = parts(etag)
    return found is not None and found[0] == version


def _shown(body: str) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body
