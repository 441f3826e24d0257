"""The access log: what was asked and answered, without what it was about."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractAccessLogger

from service.api.boundary import REQUEST_ID

if TYPE_CHECKING:
    from aiohttp import web

access_logger = logging.getLogger("payledger.access")


class AccessLogger(AbstractAccessLogger):
    """A line for each request, at debug; for one that failed through us, at warning."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """The route's template, never the path: that may hold an idempotency key."""
        match_info = getattr(request, "_match_info", None)  # None: it was not HTTP
        resource = match_info.route.resource if match_info is not None else None
        log(
            request.method,
            resource.canonical if resource is not None else None,
            response.status,
            time,
            match_info.get("ledger") if match_info is not None else None,
            response.headers.get(REQUEST_ID),
        )


def log(
    method: str,
    route: str | None,
    status: int,
    seconds: float,
    ledger: str | None,
    request_id: str | None,
) -> None:
    """One request that was answered."""
    level = logging.WARNING if status >= 500 else logging.DEBUG
    if access_logger.isEnabledFor(level):
        facts = {
            "method": method,
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 3),
            "ledger": ledger,
            "request_id": request_id,
        }
        access_logger.log(level, "request", extra=facts)
