"""/livez and /readyz, for whoever decides whether requests should come here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api import answers
from service.api.resources import READINESS, STATUS

if TYPE_CHECKING:
    from aiohttp import web


async def livez(_request: web.Request) -> web.Response:
    """200 whenever the event loop runs."""
    return answers.rendered({"status": "alive"})


async def readyz(request: web.Request) -> web.Response:
    """200 when payments can be posted; otherwise 503, and why."""
    checks = [*await request.app[READINESS].get(None), *request.app[STATUS].checks()]
    ready = all(check.ok for check in checks if check.needed)
    document = {
        "status": "ready" if ready else "not_ready",
        "checks": {check.name: {"ok": check.ok, "detail": check.detail} for check in checks},
    }
    return answers.rendered(document, 200 if ready else 503)
