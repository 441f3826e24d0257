"""Which database a command works on: the environment's, or the one a running `up` started."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from service.commands.terminal import CommandError
from service.embedded import EmbeddedError
from service.embedded.statedir import StateDir

if TYPE_CHECKING:
    from service.settings import Settings

RUNNING_FILE = "running.json"
DEV_KEY_FILE = "dev-key"


@dataclass(frozen=True)
class Running:
    """What a running `up` tells other programs, in a file that only its user can read."""

    pid: int
    url: str
    host: str
    port: int
    dsn: str
    migrate_dsn: str
    embedded: bool
    postgres_port: int | None  # of the embedded one
    dev_key_file: str
    workers: int = 1
    redis_url: str | None = None  # of the second cache layer

    def write(self, state: StateDir) -> None:
        """Publishes it: from now on the stack is ready."""
        state.write(RUNNING_FILE, json.dumps(asdict(self), indent=2) + "\n")


def find_running(settings: Settings) -> Running | None:
    """The `up` of this state directory, when there is one and it is ready."""
    state = StateDir(settings.state_dir)
    try:
        pid = state.holder()
        text = state.read(RUNNING_FILE)
    except (EmbeddedError, PermissionError) as exc:
        raise CommandError(str(exc)) from exc
    if text is None:
        return None
    running = Running(**json.loads(text))
    return running if running.pid == pid else None  # otherwise it was killed, and left this behind


def admin_dsn(settings: Settings) -> str:
    """The DSN of the login that owns the ledger."""
    if dsn := settings.migrate_dsn or settings.dsn:
        return dsn
    if running := find_running(settings):
        return running.migrate_dsn
    raise CommandError(
        "no database: start the embedded one with `payledger up`, or set PAYLEDGER_MIGRATE_DSN "
        "to the DSN of your database's owner"
    )
