"""What handlers work with: made by service.app, found in the application under typed keys."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import NamedTuple

from aiohttp import web
from aiohttp.http import RawRequestMessage

from service.api.access import Access
from service.api.counting import Requests
from service.api.expiring import Expiring
from service.cache.balances import BalanceCache
from service.ledger.balances import PrimaryBalances
from service.ledger.gateway import Gateway
from service.ledger.poster import Poster
from service.ledger.readiness import Check
from service.metrics.instruments import Metrics
from service.relay.status import Status


class Shortcuts(NamedTuple):
    """What gives a request's whole answer, head and body, or None: that goes the ordinary way."""

    without_body: Callable[[RawRequestMessage], bytes | None]
    with_body: Callable[[RawRequestMessage, bytes], Coroutine[None, None, bytes] | None]


ACCESS = web.AppKey("access", Access)
BALANCES = web.AppKey("balances", BalanceCache)
GATEWAY = web.AppKey("gateway", Gateway)
METRICS = web.AppKey("metrics", Metrics)
PRIMARY = web.AppKey("primary", PrimaryBalances)
POSTER = web.AppKey("poster", Poster)
READINESS: web.AppKey[Expiring[None, list[Check]]] = web.AppKey("readiness", Expiring)
REQUESTS = web.AppKey("requests", Requests)
SHORTCUTS = web.AppKey("shortcuts", Shortcuts)
STATUS = web.AppKey("status", Status)
