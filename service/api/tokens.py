"""Tokens of accounts, `VERSION-EPOCH`, and the conditions of requests that carry them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

_TOKEN = re.compile(r"([0-9]{1,19})(?:-([0-9a-f]{12}))?")
_LARGEST = 2**63 - 1

# RFC 9110: what an entity tag may hold, and a list of them with whatever white space.
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[\t ,]*{_TAG}(?:[\t ]*,[\t ,]*{_TAG})*[\t ,]*")
_OPAQUE = re.compile(r'"[^"]*"')


class Token(NamedTuple):
    """A version of an account; `epoch` None: of whatever history there is."""

    version: int
    epoch: str | None


def write_token(version: int, epoch: str) -> str:
    """What is told to clients."""
    return f"{version}-{epoch}"


def read_token(text: str) -> Token | None:
    """What clients send back, or a version alone; None: it is neither."""
    match = _TOKEN.fullmatch(text)
    if match is None or (version := int(match[1])) > _LARGEST:
        return None
    return Token(version, match[2])


def names(conditions: Iterable[str], etag: str) -> bool:
    """Whether If-None-Match names the tag: one of a list, or `*`. Weak and strong are the same.

    `etag` has its quotes. A condition that cannot be understood names nothing: then the answer is
    whole, which is never wrong.
    """
    condition = ",".join(conditions)
    if condition.strip("\t ") == "*":
        return True
    return _TAGS.fullmatch(condition) is not None and etag in _OPAQUE.findall(condition)
