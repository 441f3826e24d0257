"""Bodies of payments, on their way to SQL.

SQL judges a payment: its form, its values, and which of several mistakes is told. Only two things
are settled here, because SQL cannot see them any more once the JSON is a jsonb: whether it means
one thing only (json_bodies), and how an amount is spelled. jsonb reads 1e2 and 1.0 as integers;
here an amount is a JSON integer, or a string of digits. Any other number or string goes to SQL as
a string that it refuses as amount_not_integer, in its own order of precedence: as it is when it has
cents, else as "NaN".
"""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

from service.api.json_bodies import malformed, read_struct
from service.errors import Problem
from service.ledger.poster import Element, Payment

PAYMENTS_LIMIT = 500

_NO_METADATA = msgspec.Raw(b"{}")

_NUMBER = re.compile(r"-?[0-9]+")
DIGITS = re.compile(r"-?[0-9]{1,1000}")
_CENTS = re.compile(r"-?[0-9]{1,100}\.[0-9]{0,100}[1-9]")
_REFUSED = b'"NaN"'


class _Simple(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The common payment: one posting, complete, in the common form."""

    from_: str = msgspec.field(name="from")
    to: str
    amount: int | str
    currency: str
    description: str | None = None
    metadata: msgspec.Raw = _NO_METADATA


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    payments: msgspec.Raw = msgspec.Raw(b"null")


class _PostingAmount(msgspec.Struct, gc=False):
    amount: int | str | None = None


class _Amounts(msgspec.Struct, gc=False):
    """Of an element only the amounts, in the common form."""

    amount: int | str | None = None
    postings: list[_PostingAmount] | None = None


_simple = msgspec.json.Decoder(_Simple)
_amounts = msgspec.json.Decoder(list[_Amounts])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_payment(body: bytes, idem_key: str) -> Payment | Element:
    """The body of a single payment; `idem_key` came beside it."""
    try:
        simple = _simple.decode(body)
    except msgspec.ValidationError:
        pass
    else:
        if _is_common(simple.amount):
            return Payment(
                simple.from_,
                simple.to,
                Decimal(simple.amount),  # int() has a limit to its digits
                simple.currency,
                simple.description,
                bytes(simple.metadata).decode(),
            )

    try:
        fields = _fields.decode(body)
    except msgspec.ValidationError:
        raise _payment_malformed("payment", "not an object") from None
    if "idempotency_key" in fields:
        raise _payment_malformed("idempotency_key", "unknown field")
    fields["idempotency_key"] = msgspec.Raw(msgspec.json.encode(idem_key))
    return Element(_mended(fields).decode())


def read_batch(body: bytes) -> str:
    """The array for ledger.post_payments."""
    payments = read_struct(body, _Batch).payments
    try:
        elements = _raws.decode(payments)
    except msgspec.ValidationError:
        raise malformed("not an array", "payments") from None
    if len(elements) > PAYMENTS_LIMIT:
        raise Problem("too_many_payments", {"payments": len(elements), "limit": PAYMENTS_LIMIT})
    if _are_common(payments):
        return bytes(payments).decode()
    return (b"[" + b",".join(map(_mended_element, elements)) + b"]").decode()


def _are_common(payments: msgspec.Raw) -> bool:
    """Whether all amounts are in the common form, so that the array can go as it came."""
    try:
        elements = _amounts.decode(payments)
    except msgspec.ValidationError:
        return False
    for element in elements:
        if not _is_common(element.amount):
            return False
        for posting in element.postings or ():
            if not _is_common(posting.amount):
                return False
    return True


def _is_common(amount: int | str | None) -> bool:
    return amount.__class__ is not str or DIGITS.fullmatch(amount) is not None


def _mended_element(element: msgspec.Raw) -> bytes:
    try:
        return _mended(_fields.decode(element))
    except msgspec.ValidationError:
        return bytes(element)  # not an object: SQL says so


def _mended(fields: dict[str, msgspec.Raw]) -> bytes:
    """The object as it was, but for amounts that must not be taken for integers."""
    for name, value in fields.items():
        if name == "amount":
            fields[name] = msgspec.Raw(_mended_amount(bytes(value)))
        elif name == "postings" and bytes(value).startswith(b"["):
            postings = b",".join(map(_mended_element, _raws.decode(value)))
            fields[name] = msgspec.Raw(b"[" + postings + b"]")
    return msgspec.json.encode(fields)


def _mended_amount(amount: bytes) -> bytes:
    if amount.startswith(b'"'):
        text = msgspec.json.decode(amount, type=str)
        is_integer = DIGITS.fullmatch(text)
    elif amount[:1].isdigit() or amount.startswith(b"-"):
        text = amount.decode()
        is_integer = _NUMBER.fullmatch(text)
    else:
        return amount  # neither number nor string: SQL says so
    if is_integer:
        return amount
    return b'"%b"' % text.encode() if _CENTS.fullmatch(text) else _REFUSED


def _payment_malformed(field: str, reason: str) -> Problem:
    return Problem("payment_malformed", {"field": field, "reason": reason})
