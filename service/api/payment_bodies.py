"""Bodies of payments, on their way to SQL.

SQL judges a payment: its form, its values, and which of several mistakes is told. Only two things
are settled here, because SQL cannot see them any more once the JSON is a jsonb: whether it means
one thing only (json_bodies), and how an amount is spelled. jsonb reads 1e2 and 1.0 as integers;
here an amount is a JSON integer, or a string of digits. Any other number or string goes to SQL as
a string that it refuses as amount_not_integer, in its own order of precedence: as it is when it has
cents, else as "NaN".

A payment in the common form goes as it came; its key, which came beside it, is put in front.
"""

from __future__ import annotations

import re

import msgspec

from service.api.json_bodies import malformed, read_struct
from service.errors import Problem
from service.ledger.poster import Element

PAYMENTS_LIMIT = 500

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
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    payments: msgspec.Raw = msgspec.Raw(b"null")


class _Key(msgspec.Struct, gc=False):
    idempotency_key: str | None = None


class _Posting(msgspec.Struct, gc=False):
    from_: str | None = msgspec.field(name="from", default=None)
    to: str | None = None
    amount: int | str | None = None


class _Known(_Posting, gc=False):
    """Of an element only what has to be known on its way, in the common form."""

    idempotency_key: str | None = None
    postings: list[_Posting] | None = None


_simple = msgspec.json.Decoder(_Simple)
_known = msgspec.json.Decoder(_Known)
_knowns = msgspec.json.Decoder(list[_Known])
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_plain_payment(body: bytes, idem_key: str) -> Element | None:
    """The body of a payment in the common form; None: it is of another."""
    try:
        simple = _simple.decode(body)
    except msgspec.ValidationError:
        return None
    if not _is_common(simple.amount):
        return None
    rest = body[body.index(b"{") + 1 :]
    text = b'{"idempotency_key":%b,%b' % (msgspec.json.encode(idem_key), rest)
    return Element(text, idem_key, (simple.from_, simple.to))


def read_payment(body: bytes, idem_key: str) -> Element:
    """The body of a single payment; `idem_key` came beside it."""
    plain = read_plain_payment(body, idem_key)
    if plain is not None:
        return plain
    try:
        fields = _fields.decode(body)
    except msgspec.ValidationError:
        raise _payment_malformed("payment", "not an object") from None
    if "idempotency_key" in fields:
        raise _payment_malformed("idempotency_key", "unknown field")
    fields["idempotency_key"] = msgspec.Raw(msgspec.json.encode(idem_key))
    return read_element(_mended(fields))


def read_batch(body: bytes) -> list[Element]:
    """The elements for ledger.post_payments."""
    payments = read_struct(body, _Batch).payments
    try:
        raws = _raws.decode(payments)
    except msgspec.ValidationError:
        raise malformed("not an array", "payments") from None
    if len(raws) > PAYMENTS_LIMIT:
        raise Problem("too_many_payments", {"payments": len(raws), "limit": PAYMENTS_LIMIT})
    try:
        knowns = _knowns.decode(payments)
    except msgspec.ValidationError:
        return [read_element(bytes(raw)) for raw in raws]
    return [_element(bytes(raw), known) for raw, known in zip(raws, knowns, strict=True)]


def read_element(text: bytes) -> Element:
    """An element with its key in it, whatever its form: JSON that means one thing only."""
    known = _read_known(text)
    if known is None:
        text = _mended_element(text)
        known = _read_known(text)  # what was wrong may have been an amount only
    return Element(text, _key_of(text)) if known is None else _element(text, known)


def _read_known(text: bytes) -> _Known | None:
    """None: it is of another form."""
    try:
        return _known.decode(text)
    except msgspec.ValidationError:
        return None


def _element(text: bytes, known: _Known) -> Element:
    if not (_is_common(known.amount) and all(_is_common(p.amount) for p in known.postings or ())):
        text = _mended_element(text)
    named = [known.from_, known.to]
    for posting in known.postings or ():
        named += (posting.from_, posting.to)
    return Element(text, known.idempotency_key, tuple([code for code in named if code]))


def _key_of(text: bytes) -> str | None:
    """The key of an element of another form, if that can be told."""
    try:
        return msgspec.json.decode(text, type=_Key).idempotency_key
    except msgspec.ValidationError:
        return None


def _is_common(amount: int | str | None) -> bool:
    return amount.__class__ is not str or DIGITS.fullmatch(amount) is not None


def _mended_element(element: bytes | msgspec.Raw) -> bytes:
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
