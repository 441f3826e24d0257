"""The application: its resources and its routes."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from aiohttp import web

from service.api import accounts, balances, health, ledgers, metrics, payments
from service.api.access import Access
from service.api.boundary import boundary
from service.api.counting import Requests
from service.api.expiring import Expiring
from service.api.hits import Hits
from service.api.logs import AccessLogger, access_logger
from service.api.plain_payments import PlainPayments
from service.api.resources import (
    ACCESS,
    BALANCES,
    GATEWAY,
    METRICS,
    POSTER,
    PRIMARY,
    READINESS,
    REQUESTS,
    SHORTCUTS,
    STATUS,
    Shortcuts,
)
from service.cache.answers import AnswerCache
from service.cache.auditor import Auditor
from service.cache.balances import BalanceCache
from service.cache.counters import Counters
from service.cache.echo import Echo
from service.cache.listener import Listener
from service.cache.metrics import cache_metrics
from service.cache.trust import Trust
from service.database.bounded import BoundedPool
from service.database.connections import create_pool
from service.database.pool_metrics import pool_metrics
from service.errors import describe
from service.ledger.balances import PrimaryBalances, ReplicaBalances
from service.ledger.gateway import Gateway
from service.ledger.poster import Poster
from service.ledger.readiness import Readiness
from service.metrics.instruments import Metrics
from service.metrics.memory import Region
from service.metrics.process import publish
from service.relay.metrics import relay_metrics
from service.relay.relay import Relay
from service.relay.status import Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from service.cache.l2 import L2
    from service.ledger.balances import Pool
    from service.settings import Settings

logger = logging.getLogger(__name__)

# The driver's own limit for a statement. Ours comes first, at the deadline: see service.ledger.
_BEYOND_DEADLINE_SECONDS = 5.0

# Anybody may ask whether the service is ready: the database is looked at this often at most.
_READINESS_SECONDS = 1.0

_AUDIT_SECONDS = 1.0
_CLOSE_SECONDS = 5.0

# Whatever runs the application: how its connections behave.
_CONNECTIONS = {
    "access_log": access_logger,
    "access_log_class": AccessLogger,
    "keepalive_timeout": 75.0,  # longer than the 60 s of common load balancers
    # A compressed body is refused, by us: nothing is spent on it, whatever it holds.
    "auto_decompress": False,
}


def create_app(settings: Settings, region: Region | None = None) -> web.Application:
    """The service. Its database is asked for when it starts; `settings.dsn` must be there.

    `region` is where one of several processes counts, its connections, too.
    """
    metrics = Metrics(region or Region.alone())
    requests = Requests(metrics)
    app = web.Application(middlewares=[boundary(requests.answered)], handler_args=_CONNECTIONS)
    app[METRICS] = metrics
    app[REQUESTS] = requests
    app.cleanup_ctx.append(_resources(settings))
    _add_routes(app.router)
    return app


def give_up(app: web.Application) -> None:
    """The database will not come back: whoever waits for it is answered now, not at a deadline."""
    app[GATEWAY].give_up()
    app[PRIMARY].give_up()


def _add_routes(router: web.UrlDispatcher) -> None:
    ledger = "/v1/ledgers/{ledger}"
    # Payments first: routes are tried in order.
    router.add_post(payments.ROUTE, payments.post_payment)
    router.add_post(f"{ledger}/payments/batch", payments.post_payments)
    router.add_get(balances.ROUTE, balances.get_balance)
    router.add_get(payments.ROUTE, payments.find_payment)
    router.add_get(f"{ledger}/payments/{{payment_id}}", payments.get_payment)
    router.add_post(f"{ledger}/accounts", accounts.create_account)
    router.add_get(f"{ledger}/accounts", accounts.list_accounts)
    router.add_get(f"{ledger}/accounts/{{code}}", accounts.get_account)
    router.add_get(f"{ledger}/accounts/{{code}}/entries", accounts.list_entries)
    router.add_post("/v1/ledgers", ledgers.create_ledger)
    router.add_get("/metrics", metrics.metrics)
    router.add_get("/livez", health.livez)
    router.add_get("/readyz", health.readyz)


def _resources(settings: Settings) -> Callable[[web.Application], AsyncIterator[None]]:
    """Pools, apart for payments and for reads, the cache, and what works on them."""
    dsn = settings.dsn
    if dsn is None:
        raise ValueError("settings.dsn: the service needs a database")
    direct_dsn = settings.listen_dsn or dsn

    async def resources(app: web.Application) -> AsyncIterator[None]:
        counters = Counters()
        trust = Trust(counters)
        async with (
            _bounded_pool(settings, dsn, "payledger payments") as writing,
            _bounded_pool(settings, dsn, "payledger reads") as reading,
            _replica(settings) as replica,
            _second_layer(settings, counters) as l2,
        ):
            seconds = settings.deadline_seconds
            primary = PrimaryBalances(reading, deadline_seconds=seconds, refuses=trust.refuses)
            auditor = Auditor(primary, counters)
            balances = BalanceCache(
                primary, trust, counters, l2=l2, replica=replica, sample=auditor.sample
            )
            answers = AnswerCache(trust, counters, l2=l2)
            listener = Listener(direct_dsn, trust=trust, heard=balances.heard)
            relay = Relay(direct_dsn, second_layer=l2)
            gateway = Gateway(writing, reading, deadline_seconds=seconds, metrics=app[METRICS])
            app[PRIMARY] = primary
            app[BALANCES] = balances
            app[GATEWAY] = gateway
            app[ACCESS] = access = Access(gateway)
            app[STATUS] = Status(trust, listener, relay, l2)
            app[METRICS].source(*pool_metrics({"payments": writing, "reads": reading}))
            app[METRICS].source(*cache_metrics(counters, trust, balances, answers, l2))
            app[METRICS].source(*relay_metrics(relay.counters, listener.counters))
            async with (
                _running(publish(app[METRICS])),
                _running(_audit(auditor)),
                _running(listener.run()),
                _running(relay.run()),
                Poster(
                    gateway, Echo(balances, answers, relay.wake), deadline_seconds=seconds
                ) as poster,
            ):
                readiness = Readiness(reading, poster, gateway.disk)
                app[POSTER] = poster
                app[SHORTCUTS] = Shortcuts(
                    Hits(access, balances, app[REQUESTS]).answer,
                    PlainPayments(access, poster, app[REQUESTS]).answer,
                )
                app[READINESS] = Expiring(
                    lambda _: readiness.check(), seconds=_READINESS_SECONDS, most=1
                )
                yield
            await balances.close()
            await primary.close()

    return resources


@asynccontextmanager
async def _bounded_pool(settings: Settings, dsn: str, name: str) -> AsyncIterator[BoundedPool]:
    async with _pool(settings, dsn, name) as pool, BoundedPool(pool) as bounded:
        yield bounded


@asynccontextmanager
async def _pool(
    settings: Settings, dsn: str, name: str, *, primary: bool = True
) -> AsyncIterator[Pool]:
    """A pool that is closed in the end, by force if it must be."""
    pool = await create_pool(
        dsn,
        size=settings.pool_size,
        application_name=name,
        command_seconds=settings.deadline_seconds + _BEYOND_DEADLINE_SECONDS,
        primary=primary,
    )
    try:
        yield pool
    finally:
        with suppress(TimeoutError):  # what was still open has then been ended
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()


@asynccontextmanager
async def _replica(settings: Settings) -> AsyncIterator[ReplicaBalances | None]:
    if settings.read_dsn is None:
        yield None
        return
    async with _pool(settings, settings.read_dsn, "payledger replica", primary=False) as pool:
        yield ReplicaBalances(pool)


@asynccontextmanager
async def _second_layer(settings: Settings, counters: Counters) -> AsyncIterator[L2 | None]:
    """Redis, if there is one; what is wrong with it is said, and hinders nothing."""
    if settings.redis_url is None:
        yield None
        return
    # Not before it is needed: the client takes a sixth of the time that the service needs to start.
    from service.cache.l2 import L2

    l2 = L2(settings.redis_url, counters)
    problem = await l2.start()
    if problem is not None:
        logger.warning(
            "PAYLEDGER_REDIS_URL: %s; until that is right the first cache layer is the only one",
            problem,
        )
    try:
        yield l2
    finally:
        await l2.close()


@asynccontextmanager
async def _running(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Something that goes on beside the requests."""
    task = asyncio.create_task(work)
    task.add_done_callback(_hear)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _hear(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.error("defect", extra={"exception": describe(exc)})


async def _audit(auditor: Auditor) -> None:
    while True:
        await asyncio.sleep(_AUDIT_SECONDS)
        await auditor.audit()
