"""Settings, read once from the environment. Every mistake is told at once, by variable."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from service.misnamed import PREFIX, misnamed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_WORKERS = 64
_MOST_UNASKED = 8  # workers; each has connections of its own, and PostgreSQL accepts only so many

_DSN_SHAPE = "a URL like postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
_REDIS_SHAPE = "a URL like redis://:PASSWORD@HOST:PORT/0, rediss://... or unix:///PATH"
_PERCENT = (
    "in which special characters of the password are percent-encoded, / as %2F, @ as %40 "
    "(the value is not shown)"
)


class SettingsError(Exception):
    """One or more variables are wrong; the message has a line for each."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says; a variable that is unset or empty leaves the default."""

    dsn: str | None = field(default=None, repr=False)
    migrate_dsn: str | None = field(default=None, repr=False)
    listen_dsn: str | None = field(default=None, repr=False)  # None: dsn
    read_dsn: str | None = field(default=None, repr=False)  # None: no replica
    redis_url: str | None = field(default=None, repr=False)  # None: L1 alone
    workers: int = field(default_factory=lambda: min(_cores(), _MOST_UNASKED))
    host: str = "127.0.0.1"
    port: int = 8080  # 0: any free one
    state_dir: Path = field(default_factory=lambda: Path.cwd() / ".payledger")
    pool_size: int = 16
    deadline_seconds: float = 10.0
    log_level: str = "info"
    log_format: str = "json"
    pg_bin: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Reads PAYLEDGER_DSN and so on; raises SettingsError naming each one that is wrong.

        One that is none of ours is wrong, too: a mistyped name would be a setting that was lost.
        """
        values: dict[str, Any] = {}
        mistakes: list[str] = []
        for name, read in _READERS.items():
            variable = PREFIX + name.upper()
            text = env.get(variable, "")
            if not text:
                continue
            try:
                values[name] = read(text)
            except ValueError as exc:
                shown = "" if read in _SECRET else f"={text!r}"
                mistakes.append(f"{variable}{shown}: {exc}")
        mistakes += misnamed(env, [name.upper() for name in _READERS])
        if mistakes:
            raise SettingsError("\n".join(mistakes))
        return cls(**values)


def _dsn(text: str) -> str:
    """A DSN that the driver will take; what it would choke on must not end up in its messages."""
    if not text.startswith(("postgresql://", "postgres://")):
        raise ValueError(f"must be {_DSN_SHAPE} (the value is not shown)")
    try:
        url = urlsplit(text)
        parse_qsl(url.query, strict_parsing=True) if url.query else None
        hosts = url.netloc.rpartition("@")[2].split(",")
        sound = text.count("@") == url.netloc.count("@") <= 1 and all(map(_is_host, hosts))
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f"must be {_DSN_SHAPE}, {_PERCENT}")
    return text


def _redis_url(text: str) -> str:
    """A URL that the client will take; what it would choke on must not end up in its messages."""
    try:
        url = urlsplit(text)
        parse_qsl(url.query, strict_parsing=True) if url.query else None
        sound = text.count("@") == url.netloc.count("@") <= 1 and not url.fragment
        match url.scheme:
            case "redis" | "rediss":
                number = url.path.removeprefix("/")
                host = url.netloc.rpartition("@")[2]
                sound = sound and bool(url.hostname) and _is_host(host)
                sound = sound and (not number or (number.isascii() and number.isdigit()))
            case "unix":
                sound = sound and url.path.startswith("/") and not url.hostname
            case _:
                sound = False
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f"must be {_REDIS_SHAPE}, {_PERCENT}")
    return text


def _is_host(text: str) -> bool:
    """`host`, `host:port`, `[::1]:port`, or nothing (a Unix socket)."""
    port = text.rpartition("]")[2].rpartition(":")[2] if ":" in text.rpartition("]")[2] else "5432"
    return port.isascii() and port.isdigit() and 1 <= int(port) <= 65535


def _host(text: str) -> str:
    if any(c.isspace() or c == "/" for c in text) or ("://" in text):
        raise ValueError("must be an address or a host name to listen on, like 127.0.0.1")
    return text


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return value

    return read


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text

    return read


def _path(text: str) -> Path:
    try:
        path = Path(text).expanduser().absolute()
    except RuntimeError as exc:
        raise ValueError(f"must be a directory ({exc})") from exc
    try:
        if path.exists() and not path.is_dir():
            raise ValueError("must be a directory, not a file")
    except OSError as exc:  # up to Python 3.11 they do not take a forbidden path for a missing one
        raise ValueError(f"must be a directory that can be reached ({exc.strerror})") from exc
    return path


def _directory(text: str) -> Path:
    path = _path(text)
    if not path.is_dir():
        raise ValueError("must be an existing directory, the one with PostgreSQL's programs")
    return path


def _cores() -> int:
    """Those that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_SECRET = (_dsn, _redis_url)  # what they read holds a password

_READERS: Mapping[str, Callable[[str], Any]] = {
    "dsn": _dsn,
    "migrate_dsn": _dsn,
    "listen_dsn": _dsn,
    "read_dsn": _dsn,
    "redis_url": _redis_url,
    "workers": _whole_number(1, MOST_WORKERS),
    "host": _host,
    "port": _whole_number(0, 65535),
    "state_dir": _path,
    "pool_size": _whole_number(1, 1000),
    "deadline_seconds": _seconds(0.1, 300),
    "log_level": _one_of("debug", "info", "warning", "error"),
    "log_format": _one_of("json", "text"),
    "pg_bin": _directory,
}
