"""Balances that are in this process's memory: most of what is asked, answered before routing.

Finding a route, its middlewares and its match takes aiohttp longer than all the rest of such an
answer. So a request of exactly this form is looked at first. Whatever is not a plain hit (another
form, a refusal, a miss) is left to the ordinary way, which alone decides what is wrong and in which
order; what a hit answers is made by the same functions.
"""

from __future__ import annotations

import logging
import re
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp import hdrs

from service.api import balances
from service.api.boundary import REQUEST_ID, request_id
from service.api.logs import access_logger
from service.api.tokens import read_token
from service.cache.model import AccountKey

if TYPE_CHECKING:
    from aiohttp import web

    from service.api.access import Access
    from service.api.counting import Requests
    from service.cache.balances import BalanceCache

# No character here has to be unquoted, and any account that is kept has such a code.
_TARGET = re.compile(
    balances.ROUTE.format(ledger=r"([a-z0-9-]{1,63})", code=r"([A-Za-z0-9_:.@-]{1,128})")
    + r"(?:\?min_version=([0-9a-f-]{1,32}))?"
)


class Hits:
    """One per application."""

    def __init__(self, access: Access, cache: BalanceCache, requests: Requests) -> None:
        self._access = access
        self._cache = cache
        self._requests = requests

    def answer(self, request: web.BaseRequest) -> web.Response | None:
        """What the handler would answer, counted; None: that is for the handler to say.

        A line of the access log tells the route, so with those all requests are routed.
        """
        began_at = perf_counter()
        if request.method != hdrs.METH_GET or access_logger.isEnabledFor(logging.DEBUG):
            return None
        target = _TARGET.fullmatch(request.raw_path)
        if target is None or hdrs.EXPECT in request.headers:
            return None
        ledger, code, text = target.groups()
        least = None if text is None else read_token(text)
        if text is not None and least is None:
            return None
        ledger_id = self._access.recall(request, ledger, "read")
        if ledger_id is None:
            return None
        served = self._cache.peek(AccountKey(ledger_id, code), *(least or ()))
        if served is None:
            return None

        response = balances.answer(request, served)
        response.headers[REQUEST_ID] = request_id(request)
        self._requests.count(hdrs.METH_GET, balances.ROUTE, response.status, began_at)
        return response
