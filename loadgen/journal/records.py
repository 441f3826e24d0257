"""The records of a history, one JSON object a line, in the order in which things happened.

The order of the lines is the order of time: an `invoke` is on disk before its first byte is sent,
an `answer` is written when it has come. So an answer that stands above an invoke came before it,
whatever any clock says. Times are microseconds since the history began, for people and for
staleness.
"""

from __future__ import annotations

import msgspec

FORMAT = 1
WINDOW_OVER = "epoch"
"""The event that ends a window of loss: another history has begun, and its epoch is told."""


class Begin(msgspec.Struct, frozen=True, tag="begin", tag_field="is"):
    """The first line: which run this is and what belongs to it."""

    format: int
    run: str
    seed: int
    ledger: str
    prefix: str
    """Every account whose code begins so is moved by this run alone."""


class Invoke(msgspec.Struct, frozen=True, tag="invoke", tag_field="is", gc=False):
    """An attempt is about to be sent. `request` numbers the try-until-definite it belongs to."""

    n: int
    at: int
    request: int
    key: str
    body: str


class Answered(
    msgspec.Struct, frozen=True, tag="answer", tag_field="is", omit_defaults=True, gc=False
):
    """The answer to attempt n. Headers are None for an item of a batch, which has none."""

    n: int
    at: int
    status: int
    body: str
    replayed: bool = False
    etag: str | None = None
    content_type: str | None = None
    location: str | None = None
    tokens: str = ""
    """Payledger-Tokens, as it came."""
    url: str = ""


class Lost(msgspec.Struct, frozen=True, tag="lost", tag_field="is", gc=False):
    """No answer to attempt n will come any more."""

    n: int
    at: int
    why: str


class Served(msgspec.Struct, frozen=True, tag="read", tag_field="is", omit_defaults=True, gc=False):
    """A read of a balance that was answered; `at` is when it was asked."""

    at: int
    done: int
    session: int
    """Reads and payments of one session are made one after the other; 0: of none."""
    account: str
    status: int
    body: str
    token: str = ""
    """The min_version that was asked for."""
    etag: str | None = None
    source: str = ""
    age: str = ""
    url: str = ""


class Mark(msgspec.Struct, frozen=True, tag="mark", tag_field="is", omit_defaults=True):
    """Something was done to the system: event is start, heal, or the end of a window of loss."""

    at: int
    fault: str
    event: str
    number: int = 0
    """Which injection of the run it is."""
    in_flight: int = 0
    within: float = 0.0
    """Seconds after heal within which the system must serve again."""
    note: str = ""
    loses: bool = False
    """From this start on, what is acknowledged may be lost; until `WINDOW_OVER`."""


class End(msgspec.Struct, frozen=True, tag="end", tag_field="is"):
    """The last line of a run that came to its end; without it, what is open says nothing."""

    at: int


Entry = Begin | Invoke | Answered | Lost | Served | Mark | End

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Entry).decode


def text(body: bytes) -> str:
    """Give a body as text; what is not UTF-8 is shown with escapes, so two of them still differ."""
    return body.decode(errors="backslashreplace")
