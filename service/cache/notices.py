"""What the relay tells all listeners: ledger_private.relay_messages writes it, this reads it.

Any login may send on a channel whose name it knows. So a message begins with an HMAC over the rest,
and what does not carry the right one is nothing to us. Nor is a message old because it comes late,
or new because it comes: `read_at` says what moment it tells of.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import NamedTuple

import msgspec

from service.cache.model import Change

_FORM = 2  # of the body; a listener of another release ignores what it may misread
_DIGEST = "sha256"
_DIGITS = 2 * hashlib.new(_DIGEST).digest_size


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
    changes: list[tuple[int, Change]]  # with their ledger_id


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    form: int
    term: int
    epoch: str
    generation: str
    read_at: float
    lsn: int | None  # with a heartbeat
    changes: list[tuple[int, Change]]


_decoder = msgspec.json.Decoder(_Body)


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
    return Notice(read.term, read.epoch, read.generation, read.read_at, heartbeat, read.changes)


def _digest(body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, body, _DIGEST).hex().encode()
