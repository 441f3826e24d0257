"""What is counted of each request and of each payment."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from service.metrics.instruments import LATENCY_BUCKETS, Family

if TYPE_CHECKING:
    from aiohttp import web

    from service.metrics.instruments import Metrics

REQUESTS = Family(
    "counter",
    "payledger_http_requests_total",
    "Requests answered, by the route's template and status.",
    ("method", "route", "status"),
)
SECONDS = Family(
    "histogram",
    "payledger_http_request_seconds",
    "Time from a request's head to its answer.",
    ("method", "route"),
    LATENCY_BUCKETS,
)
PAYMENTS = Family(
    "counter",
    "payledger_payments_total",
    "Payments answered, one by one or in a batch; code is empty for one that was posted.",
    ("outcome", "code", "replayed"),
)

NO_ROUTE = "none"  # what no route knows: never the path, which anybody can make up
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Requests:
    """Counts requests and payments."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests = metrics.counter(REQUESTS)
        self._seconds = metrics.histogram(SECONDS)
        self._payments = metrics.counter(PAYMENTS)

    def answered(self, request: web.Request, status: int, began_at: float) -> None:
        """A request that was routed. `began_at`: perf_counter() then."""
        resource = request.match_info.route.resource
        route = NO_ROUTE if resource is None else resource.canonical
        method = request.method if request.method in _METHODS else "other"
        self.count(method, route, status, began_at)

    def count(self, method: str, route: str, status: int, began_at: float) -> None:
        """One whose labels are known to be few."""
        self._requests.add((method, route, str(status)))
        self._seconds.observe(perf_counter() - began_at, (method, route))

    def paid(self, outcome: str, code: str | None, *, replayed: bool) -> None:
        """One payment has its answer."""
        self._payments.add((outcome, code or "", "true" if replayed else "false"))
