"""Where the payledger under test is, and the key to it."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec


class TargetUnknown(Exception):
    """No payledger was named and none is running here."""


class Running(msgspec.Struct):
    """The running.json that `payledger up` keeps in its state directory."""

    url: str
    migrate_dsn: str
    dev_key_file: str


class Target:
    """A URL and an API key. Found by running.json, it follows a restart to another port."""

    def __init__(self, url: str, key: str, state_dir: Path | None = None) -> None:
        self.url = url.rstrip("/")
        self.key = key
        self._state_dir = state_dir
        self._looked_at = 0.0

    def look_again(self) -> None:
        """Read running.json once more, at most once a second: nobody answers at the URL."""
        if self._state_dir is None or time.monotonic() - self._looked_at < 1:
            return
        self._looked_at = time.monotonic()
        try:
            self.url = read_running(self._state_dir).url.rstrip("/")
        except TargetUnknown:
            return

    def dsn(self) -> str | None:
        """Give the DSN of the database's owner, when running.json tells it."""
        return None if self._state_dir is None else read_running(self._state_dir).migrate_dsn


def find_target(url: str | None, key: str | None, env: Mapping[str, str] | None = None) -> Target:
    """Take what is given; the rest comes from the payledger running in the state directory."""
    if url and key:
        return Target(url, key)
    state_dir = Path((env or os.environ).get("PAYLEDGER_STATE_DIR") or ".payledger")
    running = read_running(state_dir)
    if not key:
        try:
            key = Path(running.dev_key_file).read_text().strip()
        except OSError as error:
            raise TargetUnknown(f"cannot read the API key: {error}") from error
    if url:
        return Target(url, key)
    return Target(running.url, key, state_dir)


def read_running(state_dir: Path) -> Running:
    """Read what a running payledger says about itself."""
    path = state_dir / "running.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Running)
    except FileNotFoundError as error:
        raise TargetUnknown(
            f"no payledger is running here ({path} is missing):"
            " start one with `make up`, or give --url and --key"
        ) from error
    except (OSError, msgspec.DecodeError) as error:
        raise TargetUnknown(f"cannot read {path}: {error}") from error
