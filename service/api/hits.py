"""Balances that are in this process's memory: most of what is asked, answered as soon as read.

What aiohttp does between a request's head and its answer (objects for both, a task, a route, its
middlewares) takes longer than all the rest. So a request of exactly this form is looked at first,
as the parser read it. Whatever is not a plain hit (another form, a refusal, a miss) is left to the
ordinary way, which alone decides what is wrong and in which order.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs

from service.api import balances, documents
from service.api.answers import JSON, common_fields
from service.api.boundary import REQUEST_ID, request_id
from service.api.tokens import read_token
from service.cache.model import AccountKey

if TYPE_CHECKING:
    from aiohttp.http import RawRequestMessage

    from service.api.access import Access
    from service.api.counting import Requests
    from service.cache.balances import BalanceCache

# No character here has to be unquoted, and any account that is kept has such a code.
_TARGET = re.compile(
    balances.ROUTE.format(ledger=r"([a-z0-9-]{1,63})", code=r"([A-Za-z0-9_:.@-]{1,128})")
    + r"(?:\?min_version=([0-9a-f-]{1,32}))?"
)

_encode = msgspec.json.Encoder().encode


class Hits:
    """One per application."""

    def __init__(self, access: Access, cache: BalanceCache, requests: Requests) -> None:
        self._access = access
        self._cache = cache
        self._requests = requests

    def answer(self, request: RawRequestMessage) -> bytes | None:
        """What the handler would answer a request without a body, counted; None: it has to say."""
        began_at = perf_counter()
        target = _TARGET.fullmatch(request.path)
        if target is None or request.method != hdrs.METH_GET:
            return None
        headers = request.headers
        ledger, code, text = target.groups()
        least = None if text is None else read_token(text)
        if text is not None and least is None:
            return None
        owner = self._access.recall(headers, ledger, "read")
        if owner is None:
            return None
        served = self._cache.peek(AccountKey(owner.ledger_id, code), *(least or ()))
        if served is None:
            return None

        etag = balances.etag(served)
        fields = (
            f"ETag: {etag}\r\n"
            f"Cache-Control: {balances.CACHE_CONTROL}\r\n"
            f"Age: {int(served.age_seconds)}\r\n"
            f"Payledger-Source: {served.layer}\r\n"
            f"{REQUEST_ID}: {request_id(headers)}\r\n"
            f"{common_fields()}\r\n"
        )
        if balances.is_known(headers, etag):
            self._requests.count(hdrs.METH_GET, balances.ROUTE, 304, began_at)
            return f"HTTP/1.1 304 Not Modified\r\n{fields}".encode()
        body = _encode(documents.balance(served.balance))
        self._requests.count(hdrs.METH_GET, balances.ROUTE, 200, began_at)
        return (
            f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n{fields}"
        ).encode() + body
