"""Holds the history against the ledger. Pure functions: records and answers in, breaches out.

Nothing here asks the service anything, so each rule can be shown to fail on a history made by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from loadgen import wire
from loadgen.history import Answer, Outcome, Payment, Record


class Breach(msgspec.Struct, frozen=True):
    """A promise that was not kept, with what shows it."""

    rule: str
    says: str
    key: str | None = None
    account: str | None = None
    evidence: dict[str, Any] = {}


# --- What the history says about each key ---------------------------------------------------------


class Stored(msgspec.Struct):
    """One of the distinct answers that a content was given and that retries must repeat."""

    answer: Answer
    outcome: Outcome
    code: str
    times: int = 0
    firsts: int = 0
    """How many came without the replay marker."""


class Content(msgspec.Struct):
    """Everything that came back for one body under one key."""

    payment: Payment
    stored: list[Stored] = []
    refused: dict[str, Answer] = {}
    """Answers that are not stored, by code."""
    lost: int = 0
    """Attempts with no definite answer."""


class KeyFacts(msgspec.Struct):
    """Everything that came back under one key, by body."""

    key: str
    contents: dict[bytes, Content] = {}
    undecided: int = 0
    """Requests that were given up without a definite answer."""

    def stored(self) -> Iterator[tuple[Content, Stored]]:
        """Give every answer that was written under the key; a sound key has one at most."""
        for content in self.contents.values():
            for stored in content.stored:
                yield content, stored

    def lost(self) -> int:
        """Count the attempts with no definite answer."""
        return sum(content.lost for content in self.contents.values())


class Facts(msgspec.Struct):
    """What a history comes to."""

    keys: dict[str, KeyFacts] = {}
    undecided: dict[int, Record] = {}
    """Requests whose last attempt had no definite answer, by request."""
    internal_errors: list[Record] = []


def gather(records: Iterable[Record]) -> Facts:
    """Fold records into facts, one pass, keeping only distinct answers."""
    facts = Facts()
    for record in records:
        payment = record.payment
        key = facts.keys.get(payment.key)
        if key is None:
            key = facts.keys[payment.key] = KeyFacts(payment.key)
        content = key.contents.get(payment.body)
        if content is None:
            content = key.contents[payment.body] = Content(payment)
        answer = record.answer
        if answer is not None and answer.status == 500:
            facts.internal_errors.append(record)
        if answer is None or record.outcome is Outcome.UNKNOWN:
            content.lost += 1
            facts.undecided[record.request] = record
            continue
        facts.undecided.pop(record.request, None)
        if record.outcome in (Outcome.POSTED, Outcome.REJECTED):
            stored = _variant(content, record, answer)
            stored.times += 1
            stored.firsts += not record.replayed
        else:
            content.refused.setdefault(record.code, answer)
    for record in facts.undecided.values():
        facts.keys[record.payment.key].undecided += 1
    return facts


def _variant(content: Content, record: Record, answer: Answer) -> Stored:
    for stored in content.stored:
        if stored.answer is answer or stored.answer == answer:
            return stored
    stored = Stored(answer, record.outcome, record.code)
    content.stored.append(stored)
    return stored


# --- Answers --------------------------------------------------------------------------------------


def check_facts(facts: Facts) -> Iterator[Breach]:
    """Every request ended, nothing broke inside, and the answers to each key are sound."""
    for record in facts.undecided.values():
        yield Breach(
            "undecided",
            f"no definite answer in the time allowed: {record.code}",
            record.payment.key,
        )
    for record in facts.internal_errors:
        yield Breach("internal_error", "the service answered 500", record.payment.key)
    for key in facts.keys.values():
        yield from check_key(key)


def check_key(facts: KeyFacts) -> Iterator[Breach]:
    """All answers to one key fit together, and each fits what was asked."""
    every = list(facts.stored())
    for content in facts.contents.values():
        yield from _check_expected(facts.key, content)
        yield from _check_identical(facts.key, content)
    for content, stored in every:
        yield from check_answer(facts.key, content.payment, stored)
    firsts = sum(stored.firsts for _, stored in every)
    if firsts > 1:
        yield Breach(
            "written_twice", f"{firsts} answers say they were the first to this key", facts.key
        )
    winners = [content for content in facts.contents.values() if content.stored]
    if len(winners) > 1:
        yield Breach(
            "two_contents_won",
            "different bodies under one key were both answered as if each were the key's own",
            facts.key,
        )
    conflicts = any("key_reused" in content.refused for content in facts.contents.values())
    if conflicts and not winners and not facts.undecided:
        yield Breach(
            "conflict_with_nothing", "key_reused, but nothing was answered under the key", facts.key
        )


def _check_expected(key: str, content: Content) -> Iterator[Breach]:
    codes = {stored.code: stored.answer for stored in content.stored} | content.refused
    for code, answer in codes.items():
        if code not in content.payment.expects:
            yield Breach(
                "unexpected_answer",
                f"answered {code}, but only {' or '.join(content.payment.expects)} can be right",
                key,
                evidence={"request": content.payment.body, "answer": answer},
            )


def _check_identical(key: str, content: Content) -> Iterator[Breach]:
    for stored in content.stored[1:]:
        if not stored.answer.agrees_with(content.stored[0].answer):
            yield Breach(
                "answers_differ",
                "one key and one body, but two different answers",
                key,
                evidence={"one": content.stored[0].answer, "other": stored.answer},
            )


def check_answer(key: str, payment: Payment, stored: Stored) -> Iterator[Breach]:
    """One stored answer is well-formed and is an answer to this request."""
    says = list(
        _wrong_with_posted(payment, stored.answer)
        if stored.outcome is Outcome.POSTED
        else _wrong_with_refusal(stored)
    )
    if says:
        yield Breach(
            "wrong_answer",
            "; ".join(says),
            key,
            evidence={"request": payment.body, "answer": stored.answer},
        )


def _wrong_with_posted(payment: Payment, answer: Answer) -> Iterator[str]:
    try:
        document = wire.decode_payment(answer.body)
    except msgspec.DecodeError as error:
        yield f"the body is not a payment: {error}"
        return
    if answer.content_type is not None:  # an answer of its own, not an item of a batch
        if not answer.content_type.startswith("application/json"):
            yield f"Content-Type is {answer.content_type}"
        if answer.etag != f'"{document.payment_id}"':
            yield f"ETag is {answer.etag}"
        if not (answer.location or "").endswith(f"/payments/{document.payment_id}"):
            yield f"Location is {answer.location}"
    yield from wrong_with_payment(wire.decode_request(payment.body), document)


def wrong_with_payment(
    request: wire.PaymentRequest, document: wire.PaymentDocument
) -> Iterator[str]:
    """Say how a posted payment differs from what was asked for, or does not add up."""
    if document.description != request.description:
        yield "the description is another"
    if document.metadata != request.metadata:
        yield "the metadata are other"
    if request.effective_at is not None and _time(document.effective_at) != _time(
        request.effective_at
    ):
        yield "effective_at is another"
    asked = Counter(
        movement
        for number, posting in enumerate(request.all_postings(), start=1)
        for movement in (
            (number, posting.source, posting.currency, -int(posting.amount)),
            (number, posting.target, posting.currency, int(posting.amount)),
        )
    )
    done = Counter(
        (entry.posting_no, entry.account, entry.currency, int(entry.amount))
        for entry in document.entries
    )
    if asked != done:  # so what was done sums to zero: each posting asked for does
        yield "the entries are not the postings asked for"
    for entry in document.entries:
        if int(entry.balance_before) + int(entry.amount) != int(entry.balance_after):
            yield f"version {entry.version} of {entry.account} does not add up"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _wrong_with_refusal(stored: Stored) -> Iterator[str]:
    answer = stored.answer
    if answer.status != 422:
        yield f"the status is {answer.status}"
    if answer.content_type is not None and not answer.content_type.startswith(
        "application/problem+json"
    ):
        yield f"Content-Type is {answer.content_type}"
    if stored.code == "insufficient_funds":
        try:
            says = wire.decode_shortage(answer.body)
        except msgspec.DecodeError as error:
            yield f"it does not say what was available: {error}"
            return
        if int(says.available) - int(says.amount) >= int(says.min_balance):
            yield "there was enough money"


# --- Look-ups by key ------------------------------------------------------------------------------


def check_lookup(facts: KeyFacts, found: Answer) -> Iterator[Breach]:
    """The ledger has under the key what was acknowledged, and nothing when nothing was."""
    answers = [stored for _, stored in facts.stored()]
    if answers:
        status = 200 if answers[0].outcome is Outcome.POSTED else 422
        acknowledged = answers[0].answer
        if found.status == 404:
            rule, says = "lost", "acknowledged, but the ledger does not know the key"
        elif (found.status, found.body) != (status, acknowledged.body):
            rule, says = "lookup_differs", "the ledger has other than what was acknowledged"
        else:
            return
        evidence = {"acknowledged": acknowledged, "found": found}
        yield Breach(rule, says, facts.key, evidence=evidence)
    elif found.status != 404 and not facts.undecided:
        yield Breach(
            "refused_but_written",
            "every answer said that nothing was written, but the ledger knows the key",
            facts.key,
            evidence={"found": found},
        )


# --- Accounts -------------------------------------------------------------------------------------


class Movement(NamedTuple):
    """An acknowledged entry."""

    key: str
    payment_id: str
    posting_no: int
    amount: int
    balance_after: int


Moved = dict[str, dict[int, Movement]]
"""By account and version."""


def acknowledged_movements(facts: Facts) -> tuple[Moved, list[Breach]]:
    """Give every entry of every payment that was acknowledged; no two may claim one version."""
    moved: Moved = {}
    breaches = []
    for facts_of_key in facts.keys.values():
        for document in posted_documents(facts_of_key):
            for entry in document.entries:
                movement = Movement(
                    facts_of_key.key,
                    document.payment_id,
                    entry.posting_no,
                    int(entry.amount),
                    int(entry.balance_after),
                )
                of_account = moved.setdefault(entry.account, {})
                other = of_account.setdefault(entry.version, movement)
                if other != movement:
                    breaches.append(
                        Breach(
                            "version_claimed_twice",
                            f"two acknowledged payments are version {entry.version}",
                            facts_of_key.key,
                            entry.account,
                            {"one": other, "other": movement},
                        )
                    )
    return moved, breaches


def posted_documents(facts: KeyFacts) -> Iterator[wire.PaymentDocument]:
    """Give the payments acknowledged under a key: one, unless something is wrong."""
    for _, stored in facts.stored():
        if stored.outcome is Outcome.POSTED:
            try:
                yield wire.decode_payment(stored.answer.body)
            except msgspec.DecodeError:
                continue  # check_answer reports it


def check_first_seen(facts: Facts, versions_before: Mapping[str, int]) -> Iterator[Breach]:
    """A payment of this run was told as new once, unless that answer may have been lost."""
    for key in facts.keys.values():
        if key.lost() or any(stored.firsts for _, stored in key.stored()):
            continue
        for document in posted_documents(key):
            if any(
                entry.version > versions_before.get(entry.account, 0) for entry in document.entries
            ):
                yield Breach(
                    "replay_of_nothing", "every answer is a replay, but of no earlier one", key.key
                )


def check_balance(
    before: wire.Account | None, after: wire.Account, moved: Mapping[int, Movement]
) -> Iterator[Breach]:
    """The balance moved by what was acknowledged, the version by the number of entries."""
    balance, version = (int(before.balance), before.version) if before else (0, 0)
    since = [movement for at, movement in moved.items() if at > version]
    expected = (balance + sum(movement.amount for movement in since), version + len(since))
    if (int(after.balance), after.version) != expected:
        yield Breach(
            "wrong_balance",
            f"the balance is {after.balance} at version {after.version}; the acknowledged payments"
            f" make it {expected[0]} at version {expected[1]}",
            account=after.code,
        )


def check_entries(
    after: wire.Account,
    rows: Iterable[wire.EntryRow],
    moved: Mapping[int, Movement],
    reads: Mapping[int, set[str]],
    version_before: int = 0,
) -> Iterator[Breach]:
    """The entries, newest first, chain down to version 1 and are the acknowledged ones."""

    def breach(rule: str, says: str, **evidence: Any) -> Breach:
        return Breach(rule, says, account=after.code, evidence=evidence)

    version, balance = after.version, int(after.balance)
    minimum = None if after.min_balance is None else int(after.min_balance)
    unseen = {at for at in moved if at > version_before}
    unread = set(reads)
    for row in rows:
        amount = int(row.amount)
        if row.version != version or int(row.balance_after) != balance:
            yield breach(
                "broken_chain", f"expected version {version} with balance {balance}", row=row
            )
            version, balance = row.version, int(row.balance_after)
        unread.discard(version)
        yield from _check_reads(after.code, reads.get(version, set()), version, balance)
        if amount < 0 and minimum is not None and balance < minimum and version > version_before:
            yield breach("below_minimum", f"a debit left {balance}, below {minimum}", row=row)
        if version > version_before:
            unseen.discard(version)
            yield from _check_row(after.code, row, moved.get(version))
        version, balance = version - 1, balance - amount
    if (version, balance) != (0, 0):
        yield breach("broken_chain", f"the entries end at version {version}, balance {balance}")
    for at in sorted(unseen):
        yield breach("missing_entry", f"acknowledged version {at} is not there", of=moved[at])
    for at in unread - {0}:
        yield breach("read_of_nothing", f"a read gave version {at}", balances=sorted(reads[at]))
    yield from _check_reads(after.code, reads.get(0, set()), 0, 0)


def _check_row(account: str, row: wire.EntryRow, movement: Movement | None) -> Iterator[Breach]:
    if movement is None:
        yield Breach(
            "stray_entry",
            f"version {row.version} belongs to a payment that was never acknowledged",
            account=account,
            evidence={"row": row},
        )
    elif movement[1:] != (
        row.payment_id,
        row.posting_no,
        int(row.amount),
        int(row.balance_after),
    ):
        yield Breach(
            "entry_differs",
            f"version {row.version} is not what was acknowledged",
            movement.key,
            account,
            {"acknowledged": movement, "row": row},
        )


def _check_reads(account: str, read: set[str], version: int, balance: int) -> Iterator[Breach]:
    for text in read:
        if int(text) != balance:
            yield Breach(
                "wrong_read",
                f"a read gave {text} at version {version}, where the balance is {balance}",
                account=account,
            )


def check_conserved(
    before: Iterable[wire.Account], after: Iterable[wire.Account]
) -> Iterator[Breach]:
    """Payments among these accounts leave their sum as it was, in every currency."""
    sums: Counter[str] = Counter()
    for account in before:
        sums[account.currency] -= int(account.balance)
    for account in after:
        sums[account.currency] += int(account.balance)
    for currency, difference in sums.items():
        if difference:
            yield Breach("not_conserved", f"{difference} {currency} came from nowhere")
