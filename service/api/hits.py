"""Balances that are in this process's memory: most of what is asked, answered as soon as read.

What aiohttp does between a request's head and its answer (objects for both, a task, a route, its
middlewares) takes longer than all the rest. So a request of exactly this form is looked at first,
as the parser read it. Whatever is not a plain hit (another form, a refusal, a miss) is left to the
ordinary way, which alone decides what is wrong and in which order.
"""

from __future__ import annotations

import logging
import re
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs
from aiohttp.helpers import rfc822_formatted_time
from aiohttp.http import SERVER_SOFTWARE, HttpVersion11

from service.api import balances, documents
from service.api.answers import JSON
from service.api.boundary import REQUEST_ID, request_id
from service.api.logs import access_logger
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
        """What the handler would answer a request without a body, counted; None: it has to say.

        The connection stays open. A line of the access log tells the route, so with those all
        requests are routed.
        """
        began_at = perf_counter()
        if (
            request.method != hdrs.METH_GET
            or request.version != HttpVersion11
            or request.should_close
            or request.upgrade
            or access_logger.isEnabledFor(logging.DEBUG)
        ):
            return None
        target = _TARGET.fullmatch(request.path)
        headers = request.headers
        if target is None or hdrs.EXPECT in headers:
            return None
        ledger, code, text = target.groups()
        least = None if text is None else read_token(text)
        if text is not None and least is None:
            return None
        ledger_id = self._access.recall(headers, ledger, "read")
        if ledger_id is None:
            return None
        served = self._cache.peek(AccountKey(ledger_id, code), *(least or ()))
        if served is None:
            return None

        etag = balances.etag(served)
        fields = (
            f"ETag: {etag}\r\n"
            f"Cache-Control: {balances.CACHE_CONTROL}\r\n"
            f"Age: {int(served.age_seconds)}\r\n"
            f"Payledger-Source: {served.layer}\r\n"
            f"{REQUEST_ID}: {request_id(headers)}\r\n"
            f"Date: {rfc822_formatted_time()}\r\n"
            f"Server: {SERVER_SOFTWARE}\r\n\r\n"
        )
        if balances.is_known(headers, etag):
            self._requests.count(hdrs.METH_GET, balances.ROUTE, 304, began_at)
            return f"HTTP/1.1 304 Not Modified\r\n{fields}".encode()
        body = _encode(documents.balance(served.balance))
        self._requests.count(hdrs.METH_GET, balances.ROUTE, 200, began_at)
        return (
            f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n{fields}"
        ).encode() + body
