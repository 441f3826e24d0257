"""The API's documents, as far as the generator sends and the checker reads them."""

from __future__ import annotations

from typing import Any

import msgspec

MAX_PAGE = 1000
"""Rows that one list request may ask for."""


class Posting(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """One movement of a payment request."""

    source: str
    target: str
    amount: int | str
    currency: str


class PaymentRequest(
    msgspec.Struct, rename={"source": "from", "target": "to"}, forbid_unknown_fields=True
):
    """The body of POST payments: one posting, or a list of them."""

    source: str | None = None
    target: str | None = None
    amount: int | str | None = None
    currency: str | None = None
    postings: list[Posting] | None = None
    description: str | None = None
    metadata: dict[str, Any] = {}
    effective_at: str | None = None

    def all_postings(self) -> list[Posting]:
        """Give the postings, however the body spells them."""
        if self.postings is not None:
            return self.postings
        if None in (self.source, self.target, self.amount, self.currency):
            return []
        return [Posting(str(self.source), str(self.target), str(self.amount), str(self.currency))]


class Entry(msgspec.Struct, frozen=True):
    """One entry inside a posted answer."""

    posting_no: int
    account: str
    currency: str
    amount: str
    balance_before: str
    balance_after: str
    version: int


class PaymentDocument(msgspec.Struct, frozen=True):
    """The body of a posted answer."""

    payment_id: str
    entries: list[Entry]
    description: str | None
    metadata: dict[str, Any]
    effective_at: str
    posted_at: str


class ProblemDocument(msgspec.Struct, frozen=True):
    """A problem+json body; the values beside the code stay in the bytes."""

    code: str


class Shortage(msgspec.Struct, frozen=True):
    """The values of a refusal for insufficient funds."""

    available: str
    amount: str
    min_balance: str


class Account(msgspec.Struct, frozen=True):
    """An account as the API shows it."""

    code: str
    currency: str
    balance: str
    version: int
    min_balance: str | None


class AccountsPage(msgspec.Struct):
    """A page of GET accounts."""

    accounts: list[Account]
    next_cursor: str | None


class EntryRow(msgspec.Struct, frozen=True, gc=False):
    """One row of GET accounts/{code}/entries."""

    version: int
    payment_id: str
    posting_no: int
    amount: str
    balance_after: str


class EntriesPage(msgspec.Struct):
    """A page of GET accounts/{code}/entries, newest first."""

    entries: list[EntryRow]
    next_cursor: str | None


class Balance(msgspec.Struct, frozen=True):
    """The body of GET accounts/{code}/balance."""

    account: str
    version: int
    balance: str
    held: str


class BatchResult(msgspec.Struct):
    """One item of a batch answer; its body is kept as the bytes that came."""

    status: int
    replayed: bool
    body: msgspec.Raw


class LineResult(BatchResult):
    """One line of a streamed answer."""

    line: int


class BatchAnswer(msgspec.Struct):
    """The body of POST payments/batch."""

    results: list[BatchResult]


decode_request = msgspec.json.Decoder(PaymentRequest).decode
decode_payment = msgspec.json.Decoder(PaymentDocument).decode
decode_problem = msgspec.json.Decoder(ProblemDocument).decode
decode_shortage = msgspec.json.Decoder(Shortage).decode
decode_account = msgspec.json.Decoder(Account).decode
decode_accounts = msgspec.json.Decoder(AccountsPage).decode
decode_entries = msgspec.json.Decoder(EntriesPage).decode
decode_balance = msgspec.json.Decoder(Balance).decode
decode_batch = msgspec.json.Decoder(BatchAnswer).decode
decode_line = msgspec.json.Decoder(LineResult).decode
encode = msgspec.json.Encoder().encode
