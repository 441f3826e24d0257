"""Logs: a line of JSON for each event, without secrets, keys, bodies or query strings."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp.abc import AbstractAccessLogger

from service.api.boundary import REQUEST_ID

if TYPE_CHECKING:
    from aiohttp import web

    from service.settings import Settings

access_logger = logging.getLogger("payledger.access")

_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logging(settings: Settings) -> None:
    """Everything goes to stderr, in the format and from the level that the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)


class JsonFormatter(logging.Formatter):
    """One line, one object: time, level, logger, message, and what the event adds."""

    def format(self, record: logging.LogRecord) -> str:
        """Never fails: what JSON cannot say is said by repr."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_added(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=repr)


class TextFormatter(logging.Formatter):
    """For people: the same, without the braces."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Adds what the event adds as name=value."""
        added = "".join(f" {name}={value}" for name, value in _added(record).items())
        return super().formatMessage(record) + added


class AccessLogger(AbstractAccessLogger):
    """A line for each request, at debug; for one that failed through us, at warning."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """The route's template, never the path: that may hold an idempotency key."""
        level = logging.WARNING if response.status >= 500 else logging.DEBUG
        if access_logger.isEnabledFor(level):
            access_logger.log(level, "request", extra=_facts(request, response, time))


def _added(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}


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
