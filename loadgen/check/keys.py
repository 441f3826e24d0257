"""O1 and O4, key by key: what was answered under a key fits together and fits what is stored."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from loadgen.check.findings import Breach, Findings
from loadgen.check.index import Attempt, Index, Times
from loadgen.check.intake import Counts
from loadgen.check.ledger import KeyRow, Ledger
from loadgen.check.merging import groups, side_by_side
from loadgen.history import Outcome

POSTED, REJECTED = Outcome.POSTED.value, Outcome.REJECTED.value
CONFLICT, INVALID = Outcome.CONFLICT.value, Outcome.INVALID.value
UNKNOWN = Outcome.UNKNOWN.value
STORED = (POSTED, REJECTED)


async def check_keys(index: Index, ledger: Ledger, findings: Findings, counts: Counts) -> None:
    """Hold every key of either side against the other; leaves the payments in the index."""
    stored = groups(ledger.keys(), lambda row: row.key)
    async for key, attempts, rows in side_by_side(index.keys(), stored):
        for row in rows:
            if row.payment is not None:
                index.add(_times(row, attempts, _kept(attempts, rows)))
        if not attempts:
            continue  # not of this run, unless its payment is: that is seen payment by payment
        counts.keys += 1
        everything, attempts = attempts, _kept(attempts, rows)
        if len(attempts) < len(everything):
            lost = [a for a in everything if a.outcome == POSTED and a not in attempts]
            counts.lost += bool(lost)
            for _, one in groupby(lost, key=lambda attempt: attempt.window):
                for rule in _answers(list(one)):
                    findings.add(_breach(key, everything, rows, rule))
        outcomes = {attempt.outcome for attempt in attempts}
        counts.payments += POSTED in outcomes
        counts.refusals += REJECTED in outcomes
        counts.conflicts += CONFLICT in outcomes
        for rule in (
            *_answers(attempts),
            *_stored(attempts, rows),
            *_ended(everything, rows, counts),
        ):
            findings.add(_breach(key, everything, rows, rule))


Rule = tuple[str, str, str]
"""Oracle, rule, and what is wrong."""


def _kept(attempts: list[Attempt], rows: list[KeyRow]) -> list[Attempt]:
    """Leave out the answers of windows of loss that bind nobody any more.

    Those are payments that the ledger does not have, and everything that was refused: of two equal
    refusals nothing says which history they are of. A payment that was not lost holds as any other.
    """
    if not any(attempt.window for attempt in attempts):
        return attempts
    payment = rows[0].payment if rows else None
    return [
        attempt
        for attempt in attempts
        if not attempt.window
        or attempt.outcome == UNKNOWN
        or (attempt.outcome == POSTED and payment is not None and attempt.payment == payment)
    ]


def _answers(attempts: list[Attempt]) -> Iterator[Rule]:
    """O4: what was answered, whatever is stored."""
    winners = {attempt.content for attempt in attempts if attempt.outcome in STORED}
    if len(winners) > 1:
        yield "O4", "two_contents_won", "two contents under one key were both taken for its own"
    for content in winners:
        mine = [a for a in attempts if a.content == content and a.outcome in STORED]
        if len({attempt.answer for attempt in mine}) > 1:
            yield "O4", "answers_differ", "one key, one content, two different answers"
        if len({attempt.headers for attempt in mine if attempt.headers}) > 1:
            yield "O4", "headers_differ", "one key, one content, different ETag, type or Location"
    if sum(attempt.outcome in STORED and not attempt.replayed for attempt in attempts) > 1:
        yield "O4", "first_twice", "more than one answer says that it is no replay"
    for attempt in attempts:
        if attempt.outcome == CONFLICT:
            if attempt.status != 422:
                yield "O4", "conflict_status", f"key_reused came with {attempt.status}, not 422"
            if attempt.content in winners:
                yield "O4", "conflict_with_itself", "the key's own content was called a conflict"


def _stored(attempts: list[Attempt], rows: list[KeyRow]) -> Iterator[Rule]:
    """O1: what is stored is what was answered."""
    if len(rows) > 1:
        yield "O1", "key_twice", "the ledger has the key more than once"
    row = rows[0] if rows else None
    for attempt in attempts:
        if attempt.outcome == POSTED:
            if row is None or row.payment is None:
                yield "O1", "lost", "acknowledged as posted, but the ledger has no payment for it"
            elif attempt.payment not in (None, row.payment):
                yield "O1", "other_payment", f"acknowledged {attempt.payment}, not {row.payment}"
        elif attempt.outcome == REJECTED:
            if row is None:
                yield "O1", "refusal_forgotten", "refused, but the ledger does not know the key"
            elif row.payment is not None:
                yield "O1", "refused_but_posted", f"refused, but there is payment {row.payment}"
            elif row.code != attempt.code:
                yield "O1", "other_refusal", f"refused for {attempt.code}, stored is {row.code}"
        elif attempt.outcome == CONFLICT and row is None:
            yield "O4", "conflict_with_nothing", "key_reused, but the ledger does not know the key"


def _ended(attempts: list[Attempt], rows: list[KeyRow], counts: Counts) -> Iterator[Rule]:
    """Somebody wrote what is stored; every request of a run that came to its end is decided."""
    if rows and all(attempt.outcome == INVALID for attempt in attempts):
        yield "O1", "invalid_but_stored", "every answer said that nothing was written"
    if not counts.ended:
        return
    last: dict[int, Attempt] = {attempt.request: attempt for attempt in attempts}
    if any(attempt.lost for attempt in last.values()):
        yield "O1", "undecided", "a request was asked again and again and never decided"


def _times(row: KeyRow, attempts: list[Attempt], holds: list[Attempt]) -> Times:
    posted = [attempt for attempt in holds if attempt.outcome == POSTED]
    first = min(posted, key=lambda attempt: attempt.answered or 0, default=None)
    # An acknowledged payment has the content that was acknowledged; another one may have any that
    # was sent and not called a conflict.
    refused = {attempt.content for attempt in holds if attempt.outcome == CONFLICT}
    possible = posted or [attempt for attempt in attempts if attempt.content not in refused]
    return Times(
        row.payment or "",
        row.key,
        bool(attempts),
        min((attempt.invoked for attempt in attempts), default=0),
        None if first is None else first.answered,
        None if first is None else first.at,
        b"".join({attempt.content for attempt in possible}),
        None if first is None else first.claim,
    )


def _breach(key: str, attempts: list[Attempt], rows: list[KeyRow], rule: Rule) -> Breach:
    oracle, name, says = rule
    places = [
        place
        for attempt in attempts
        for place in (attempt.invoked, attempt.answered)
        if place is not None
    ]
    evidence: dict[str, Any] = {"ledger": [row._asdict() for row in rows]}
    return Breach(oracle, name, says, key, lines=tuple(sorted(places)), evidence=evidence)
