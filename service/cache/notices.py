"""What the relay tells all listeners, as text for NOTIFY.

Any login may send on a channel whose name it knows. So a message begins with an HMAC over the rest,
and what does not carry the right one is nothing to us. Nor is a message old because it comes late,
or new because it comes: `read_at` says what moment it tells of.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from service.cache.model import Change

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# NOTIFY takes less than 8000.
MOST_BYTES = 7_500

_FORM = 1  # of the body; a listener of another release ignores what it may misread
_DIGEST = "sha256"
_DIGITS = 2 * hashlib.new(_DIGEST).digest_size

_Row = tuple[int, str, int, str | None, str | None, str | None]


class Heartbeat(NamedTuple):
    """Everything that was visible `lag_seconds` ago has been told, this message included."""

    term: int
    epoch: str
    generation: str
    lsn: int  # what a standby has to have replayed to have seen all of it
    lag_seconds: float


class Notice(NamedTuple):
    """One message. `generation` is in force from it on."""

    term: int
    epoch: str
    generation: str
    read_at: float  # of the poll that found it, by the database's clock, in Unix seconds
    heartbeat: Heartbeat | None
    changes: tuple[tuple[int, Change], ...]  # with their ledger_id


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    form: int
    term: int
    epoch: str
    generation: str
    read_at: float
    lsn: int | None  # with a heartbeat
    changes: list[_Row]


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Body)


def encode(
    term: int,
    epoch: str,
    generation: str,
    read_at: float,
    changes: Iterable[tuple[int, Change]],
    secret: bytes,
    *,
    lsn: int | None = None,
) -> list[str]:
    """As many messages as it takes. With an `lsn` the last one is a heartbeat."""
    rows = [_encoder.encode((ledger_id, *change)) for ledger_id, change in changes]
    bare = _Body(_FORM, term, epoch, generation, read_at, None, [])
    last = _Body(_FORM, term, epoch, generation, read_at, lsn, [])
    room = MOST_BYTES - _DIGITS - len(_encoder.encode(last))
    parts = list(_parts(rows, room))
    if lsn is not None and not parts:
        parts.append([])
    return [
        _sign(_filled(last if number == len(parts) else bare, part), secret)
        for number, part in enumerate(parts, start=1)
    ]


def decode(payload: str, secret: bytes) -> Notice | None:
    """None: forged, damaged, or of another release's form."""
    digest = payload[:_DIGITS].encode("utf-8", "replace")
    body = payload[_DIGITS:].encode("utf-8", "replace")
    if not hmac.compare_digest(digest, _digest(body, secret)):
        return None
    try:
        read = _decoder.decode(body)
    except msgspec.MsgspecError:
        return None
    if read.form != _FORM:
        return None
    heartbeat = None
    if read.lsn is not None:
        heartbeat = Heartbeat(read.term, read.epoch, read.generation, read.lsn, 0.0)
    changes = tuple((row[0], Change(*row[1:])) for row in read.changes)
    return Notice(read.term, read.epoch, read.generation, read.read_at, heartbeat, changes)


def _parts(rows: Iterable[bytes], room: int) -> Iterator[list[bytes]]:
    """The rows in order, as many together as have room with the commas between them."""
    part: list[bytes] = []
    used = 0
    for row in rows:
        if part and used + len(row) + 1 > room:
            yield part
            part, used = [], 0
        part.append(row)
        used += len(row) + 1
    if part:
        yield part


def _filled(body: _Body, rows: list[bytes]) -> bytes:
    """The body with these rows, which are encoded already."""
    empty = b"[]}"
    encoded = _encoder.encode(body)
    return encoded[: -len(empty)] + b"[" + b",".join(rows) + b"]}"


def _sign(body: bytes, secret: bytes) -> str:
    return (_digest(body, secret) + body).decode()


def _digest(body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, body, _DIGEST).hex().encode()
