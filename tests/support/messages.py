"""Messages as the relay's, made outside the database: to forge, and to hold against its own."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import msgspec
from hypothesis import strategies as st

from service.cache.model import Change

if TYPE_CHECKING:
    from collections.abc import Iterable

_codes = st.from_regex(r"[A-Za-z0-9_-]{1,40}([:.@][A-Za-z0-9_-]{1,40}){0,2}", fullmatch=True)
_amounts = st.none() | st.integers(-(10**38) + 1, 10**38 - 1).map(str)
any_change = st.tuples(
    st.integers(1, 2**31 - 1),
    st.builds(
        Change,
        code=_codes,
        version=st.integers(0, 2**63 - 1),
        currency=st.none() | st.sampled_from(["USD", "A_TOKEN_12"]),
        balance=_amounts,
        held=_amounts,
    ),
)


def signed(body: bytes, secret: bytes) -> str:
    """With its HMAC before it."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return digest + body.decode("utf-8", "surrogateescape")


def message(
    term: int,
    epoch: str,
    generation: str,
    read_at: float,
    changes: Iterable[tuple[int, Change]],
    secret: bytes,
    *,
    lsn: int | None = None,
) -> str:
    """One that may be of any length; with an `lsn` it is a heartbeat."""
    body = {
        "form": 2,
        "term": term,
        "epoch": epoch,
        "generation": generation,
        "read_at": read_at,
        "lsn": lsn,
        "changes": list(changes),
    }
    return signed(msgspec.json.encode(body), secret)


def key_blocks(secret: bytes) -> tuple[bytes, bytes]:
    """What the inner and the outer hash of an HMAC begin with (RFC 2104); of a block at most."""
    block = secret.ljust(64, bytes(1))
    return bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block)
