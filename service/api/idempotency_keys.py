"""The Idempotency-Key: bare, or a string of RFC 8941 in double quotes.

The key is judged before the body is looked at, so SQL's rules for keys are repeated here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.errors import Problem

if TYPE_CHECKING:
    from aiohttp import web

IDEMPOTENCY_KEY = "Idempotency-Key"

_LENGTH_LIMIT = 255
_KEY = re.compile(r"[!-~]{1,255}")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_ESCAPED = re.compile(r'\\(["\\])')


def header_key(request: web.Request) -> str:
    """The key in the header. Raises Problem as SQL would judge it."""
    given = request.headers.getall(IDEMPOTENCY_KEY, ())
    if len(given) > 1:
        raise Problem("idempotency_key_malformed")
    key: str = given[0] if given else ""
    if key.startswith('"'):
        match = _QUOTED.fullmatch(key)
        if match is None:
            raise Problem("idempotency_key_malformed")
        key = _ESCAPED.sub(r"\1", match[1])
    check_key(key)
    return key


def check_key(key: str) -> None:
    """Raises Problem for what SQL would refuse as a key."""
    if _KEY.fullmatch(key):
        return
    if not key:
        raise Problem("idempotency_key_missing")
    if len(key) > _LENGTH_LIMIT:
        raise Problem("idempotency_key_too_long", {"length": len(key), "limit": _LENGTH_LIMIT})
    raise Problem("idempotency_key_malformed")
