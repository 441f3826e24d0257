"""Cursors: where a listing goes on, opaque to clients, stable whatever is inserted meanwhile."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, TypeVar

import msgspec

from service.errors import Problem

_FORM = re.compile(r"[A-Za-z0-9_-]{1,600}")


class AccountsCursor(msgspec.Struct, forbid_unknown_fields=True, tag_field="v", tag="a1"):
    """The accounts after a code."""

    after: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{1,200}\Z")]


class EntriesCursor(msgspec.Struct, forbid_unknown_fields=True, tag_field="v", tag="e1"):
    """The entries before a version."""

    before: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


Cursor = TypeVar("Cursor", AccountsCursor, EntriesCursor)


def write_cursor(cursor: AccountsCursor | EntriesCursor) -> str:
    """Base64url of JSON, with a version, so that an old one can be told from a new one."""
    return urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def read_cursor(text: str, kind: type[Cursor]) -> Cursor:
    """Raises Problem (parameter_malformed) for what `write_cursor` did not make."""
    try:
        if not _FORM.fullmatch(text):
            raise ValueError(text)
        cursor = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)
        if write_cursor(cursor) != text:
            raise ValueError(text)
    except (ValueError, msgspec.MsgspecError):
        raise Problem(
            "parameter_malformed",
            {"parameter": "cursor", "reason": "not a next_cursor of this listing"},
        ) from None
    return cursor
