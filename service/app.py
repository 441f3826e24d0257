"""The application: its resources and its routes."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from aiohttp import web

from service.api import accounts, health, ledgers, payments
from service.api.access import Access
from service.api.boundary import boundary
from service.api.expiring import Expiring
from service.api.logs import AccessLogger, access_logger
from service.api.resources import ACCESS, GATEWAY, POSTER, READINESS
from service.database.connections import create_pool
from service.ledger.gateway import Gateway
from service.ledger.poster import Poster
from service.ledger.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from service.ledger.carrier import Pool
    from service.settings import Settings

# The driver's own limit for a statement. Ours comes first, at the deadline: see service.ledger.
_BEYOND_DEADLINE_SECONDS = 5.0

# Anybody may ask whether the service is ready: the database is looked at this often at most.
_READINESS_SECONDS = 1.0

_CLOSE_SECONDS = 5.0

# Whatever runs the application: how its connections behave.
_CONNECTIONS = {
    "access_log": access_logger,
    "access_log_class": AccessLogger,
    "keepalive_timeout": 75.0,  # longer than the 60 s of common load balancers
}


def create_app(settings: Settings) -> web.Application:
    """The service. Its database is asked for when it starts; `settings.dsn` must be there."""
    app = web.Application(middlewares=[boundary], handler_args=_CONNECTIONS)
    app.cleanup_ctx.append(_resources(settings))
    _add_routes(app.router)
    return app


def _add_routes(router: web.UrlDispatcher) -> None:
    ledger = "/v1/ledgers/{ledger}"
    # Payments first: routes are tried in order.
    router.add_post(f"{ledger}/payments", payments.post_payment)
    router.add_post(f"{ledger}/payments/batch", payments.post_payments)
    router.add_get(f"{ledger}/accounts/{{code}}/balance", accounts.get_balance)
    router.add_get(f"{ledger}/payments", payments.find_payment)
    router.add_get(f"{ledger}/payments/{{payment_id}}", payments.get_payment)
    router.add_post(f"{ledger}/accounts", accounts.create_account)
    router.add_get(f"{ledger}/accounts", accounts.list_accounts)
    router.add_get(f"{ledger}/accounts/{{code}}", accounts.get_account)
    router.add_get(f"{ledger}/accounts/{{code}}/entries", accounts.list_entries)
    router.add_post("/v1/ledgers", ledgers.create_ledger)
    router.add_get("/livez", health.livez)
    router.add_get("/readyz", health.readyz)


def _resources(settings: Settings) -> Callable[[web.Application], AsyncIterator[None]]:
    """Pools, apart for payments and for reads, and what works on them."""
    if settings.dsn is None:
        raise ValueError("settings.dsn: the service needs a database")

    async def resources(app: web.Application) -> AsyncIterator[None]:
        async with (
            _pool(settings, "payledger payments") as writing,
            _pool(settings, "payledger reads") as reading,
        ):
            gateway = Gateway(writing, reading, deadline_seconds=settings.deadline_seconds)
            async with Poster(gateway, deadline_seconds=settings.deadline_seconds) as poster:
                readiness = Readiness(reading, poster)
                app[GATEWAY] = gateway
                app[POSTER] = poster
                app[ACCESS] = Access(gateway)
                app[READINESS] = Expiring(
                    lambda _: readiness.check(), seconds=_READINESS_SECONDS, most=1
                )
                yield

    return resources


@asynccontextmanager
async def _pool(settings: Settings, name: str) -> AsyncIterator[Pool]:
    """A pool that is closed in the end, by force if it must be."""
    pool = await create_pool(
        settings.dsn or "",
        size=settings.pool_size,
        application_name=name,
        command_seconds=settings.deadline_seconds + _BEYOND_DEADLINE_SECONDS,
    )
    try:
        yield pool
    finally:
        with suppress(TimeoutError):  # what was still open has then been ended
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()
