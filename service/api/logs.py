"""The access log: what was asked and answered, without what it was about."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from aiohttp.abc import AbstractAccessLogger

from service.api.boundary import REQUEST_ID

if TYPE_CHECKING:
    from aiohttp import web

access_logger = logging.getLogger("payledger.access")


class AccessLogger(AbstractAccessLogger):
    """A line for each request, at debug; for one that failed through us, at warning."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """The route's template, never the path: that may hold an idempotency key."""
        level = logging.WARNING if response.status >= 500 else logging.DEBUG
        if access_logger.isEnabledFor(level):
            access_logger.log(level, "request", extra=_facts(request, response, time))


def _facts(
    request: web.BaseRequest, response: web.StreamResponse, seconds: float
) -> dict[str, Any]:
    match_info = getattr(request, "_match_info", None)  # None: it was not HTTP
    resource = match_info.route.resource if match_info is not None else None
    return {
        "method": request.method,
        "route": resource.canonical if resource is not None else None,
        "status": response.status,
        "duration_ms": round(seconds * 1000, 3),
        "ledger": match_info.get("ledger") if match_info is not None else None,
        "request_id": response.headers.get(REQUEST_ID),
    }
