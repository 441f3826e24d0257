"""Reads a JSON body that means one thing only.

msgspec keeps the last of two equal names, passes NUL, and does not look into what it leaves raw;
PostgreSQL's jsonb does the first and fails on the others. So everything is looked at once here:
what gets through reaches SQL, or is refused there by its own rules.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from service.errors import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

S = TypeVar("S", bound=msgspec.Struct)

BODY_LIMIT = 64 * 1024
BATCH_BODY_LIMIT = 2 * 1024 * 1024
DEPTH_LIMIT = 32

# jsonb keeps numbers as numeric, which overflows far above this; nobody counts money so high.
_NUMBER_LENGTH_LIMIT = 400
_EXPONENT_LIMIT = 400

_BODY_SECONDS = 10.0

NDJSON = "application/x-ndjson"
_PIECE_SECONDS = 60.0  # a stream may rest so long


def _declared(media_type: str) -> re.Pattern[str]:
    """Content-Type of this kind: with no parameter but the charset, and that is UTF-8."""
    charset = r'[ \t]*(;[ \t]*charset[ \t]*=[ \t]*"?utf-8"?[ \t]*;?[ \t]*)?'
    return re.compile(re.escape(media_type) + charset, re.IGNORECASE)


_JSON_TYPE = _declared("application/json")
_NDJSON_TYPE = _declared(NDJSON)

_ESCAPE = re.compile(rb"\\(?:u([0-9A-Fa-f]{4})|.)", re.DOTALL)


async def read_json(request: web.Request, limit: int) -> bytes:
    """The body, of at most `limit` bytes: JSON that means one thing only."""
    check_type(request)
    body = await read_body(request, limit)
    check_json(body)
    return body


def check_type(request: web.Request) -> None:
    """Raises Problem unless the body is declared to be plain JSON in UTF-8."""
    headers = request.headers
    content_type = headers.get("Content-Type", "")
    if content_type != "application/json" and not _JSON_TYPE.fullmatch(content_type):
        raise Problem("unsupported_media_type")
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Problem("unsupported_media_type")


async def read_body(request: web.Request, limit: int) -> bytes:
    """The body. Raises Problem as soon as it is known to be longer than `limit`."""
    length = request.content_length
    if length is not None and length > limit:
        raise Problem("body_too_large", {"limit": limit})
    with _receiving():
        if request.content.is_eof():  # it came with the headers: nothing to wait for
            body = request.content.read_nowait()
        else:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _read_chunks(request, limit)
    if len(body) > limit:
        raise Problem("body_too_large", {"limit": limit})
    return body


async def _read_chunks(request: web.Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise Problem("body_too_large", {"limit": limit})
    return bytes(body)


def is_ndjson(request: web.Request) -> bool:
    """Whether the body is declared to be JSON in lines."""
    plain = request.headers.get("Content-Encoding", "identity").lower() == "identity"
    return plain and _NDJSON_TYPE.fullmatch(request.headers.get("Content-Type", "")) is not None


async def read_chunks(request: web.Request) -> AsyncIterator[bytes]:
    """The body piece by piece, however long it is. Raises Problem when the rest does not come."""
    content = request.content
    while not content.at_eof():
        with _receiving():
            async with asyncio.timeout(_PIECE_SECONDS):
                data = await content.readany()
        yield data


@contextmanager
def _receiving() -> Iterator[None]:
    """Problem for what goes wrong with a body on its way. In this order: where a body breaks off
    service.api.connections tells so by an error that is a TimeoutError, too."""
    try:
        yield
    except (web.RequestPayloadError, HttpProcessingError):
        raise Problem("request_malformed", close=True) from None
    except TimeoutError:
        raise Problem("body_too_slow", close=True) from None


def check_json(body: bytes) -> None:
    """Raises Problem (body_malformed) unless `body` is JSON that means one thing only."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise malformed("not UTF-8") from None
    try:
        depth = _value_depth(_DECODER.decode(text))
    except json.JSONDecodeError:
        raise malformed("not JSON") from None
    except RecursionError:
        depth = DEPTH_LIMIT + 1
    if depth > DEPTH_LIMIT:
        raise malformed(f"nested deeper than {DEPTH_LIMIT} levels")
    if b"\\u" in body:
        _check_escapes(body)


def malformed(reason: str, field: str = "body") -> Problem:
    """The Problem that says which field is wrong, and why."""
    return Problem("body_malformed", {"field": field, "reason": reason})


def read_struct(body: bytes, kind: type[S]) -> S:
    """The body as a Struct. Raises Problem that names the field for what does not fit."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError:
        raise _misfit(body, kind) from None


def _misfit(body: bytes, kind: type[S]) -> Problem:
    try:
        given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    except msgspec.ValidationError:
        return malformed("not an object")
    known = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for name, value in given.items():
        if name not in known:
            return malformed("unknown field", name[:200])
        try:
            msgspec.json.decode(value, type=known[name])
        except msgspec.ValidationError:
            return malformed(_EXPECTED[known[name]], name)
    return malformed("not of the expected form")


_EXPECTED: dict[Any, str] = {
    str: "not a string",
    str | None: "not a string",
    int | None: "not an integer",
    int | str | None: "not a string or an integer",
}


def _object_depth(pairs: list[tuple[str, Any]]) -> int:
    """Stands for an object while it is scanned: its depth is all that is still of interest."""
    names = dict(pairs)
    if len(names) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise malformed("given twice", name[:200])
            seen.add(name)
    depth = 0
    for value in names.values():
        # Exactly int: an inner object. Numbers are kept as text, true and false are of type bool.
        if value.__class__ is int or value.__class__ is list:
            depth = max(depth, _value_depth(value))
    return depth + 1


def _value_depth(value: Any) -> int:
    if value.__class__ is int:
        depth: int = value
        return depth
    if value.__class__ is list:
        return 1 + max(map(_value_depth, value), default=0)
    return 0


def _integer(text: str) -> str:
    if len(text) > _NUMBER_LENGTH_LIMIT:
        raise malformed("a number is out of range")
    return text


def _fraction(text: str) -> str:
    """A number with a fraction or an exponent."""
    exponent = text.lower().partition("e")[2]
    if exponent and (len(exponent) > 6 or abs(int(exponent)) > _EXPONENT_LIMIT):
        raise malformed("a number is out of range")
    return _integer(text)


def _not_a_number(_text: str) -> None:
    raise malformed("NaN and Infinity are not JSON")


def _check_escapes(body: bytes) -> None:
    """NUL and halves of surrogate pairs can be escaped in JSON, but are not text."""
    expected_at = -1  # where the second half of a pair must begin
    for match in _ESCAPE.finditer(body):
        code = int(match[1], 16) if match[1] else 0x20
        is_second = 0xDC00 <= code <= 0xDFFF
        if is_second != (expected_at >= 0) or (is_second and match.start() != expected_at):
            raise malformed("half of a surrogate pair is not text")
        expected_at = match.end() if 0xD800 <= code <= 0xDBFF else -1
        if code == 0:
            raise malformed("a NUL character is not text")
    if expected_at >= 0:
        raise malformed("half of a surrogate pair is not text")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_depth,
    parse_float=_fraction,
    parse_int=_integer,
    parse_constant=_not_a_number,
)
