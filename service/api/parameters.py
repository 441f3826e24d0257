"""What URLs say: the parts that can be carried to SQL, which judges the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.errors import Problem

if TYPE_CHECKING:
    from aiohttp import web

_VISIBLE = re.compile(r"[!-~]*")
_INTEGER = re.compile(r"-?[0-9]{1,9}")
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


def account_code(request: web.Request) -> str:
    """The code in the path; anything but visible ASCII is refused as SQL would."""
    code = request.match_info["code"]
    if not _VISIBLE.fullmatch(code):
        raise Problem("account_code_malformed", {"account": code[:200]})
    return code


def payment_id(request: web.Request) -> str:
    """The id in the path, as PostgreSQL writes it."""
    text = request.match_info["payment_id"]
    if not _UUID.fullmatch(text):
        raise _malformed("payment_id", "not a UUID")
    return text.lower()


def query(request: web.Request, *known: str) -> dict[str, str]:
    """The query's parameters: each known, given once, of visible ASCII."""
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name not in known:
            raise _malformed(name[:100], "not a parameter of this resource")
        if name in given:
            raise _malformed(name, "given twice")
        if not _VISIBLE.fullmatch(value):
            raise _malformed(name, "not visible ASCII")
        given[name] = value
    return given


def limit(given: dict[str, str], default: int) -> int:
    """SQL says which limits are in range."""
    text = given.get("limit")
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise _malformed("limit", "not an integer")
    return int(text)


def _malformed(parameter: str, reason: str) -> Problem:
    return Problem("parameter_malformed", {"parameter": parameter, "reason": reason})
