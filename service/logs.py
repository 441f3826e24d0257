"""Logs: one line, one event, on stderr."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from service.settings import Settings

_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up_logging(settings: Settings, *, worker: int | None = None) -> None:
    """Everything goes to stderr, in the format and from the level that the settings say.

    With `worker`, every line says which of several processes it is from.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    if worker is not None:
        handler.addFilter(_Naming(worker))
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


class _Naming(logging.Filter):
    """Lets everything pass, with the worker's number."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def filter(self, record: logging.LogRecord) -> bool:
        record.worker = self._worker
        return True


def _added(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES}
