"""/metrics, for Prometheus: one scrape shows all processes of this service."""

from __future__ import annotations

from aiohttp import web

from service.api.resources import METRICS
from service.metrics.exposition import expose


async def metrics(request: web.Request) -> web.Response:
    """Open to all, like /readyz: it names no account, key or ledger."""
    metrics = request.app[METRICS]
    metrics.sample()
    body, content_type = expose(metrics, request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": content_type})
