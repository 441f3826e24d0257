"""`up`, `serve` and `stop`: the service, with or without servers of its own."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import logging
import os
import shlex
import signal
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from service.commands.install import migrate_or_fail, summary
from service.commands.listening import ListenError, listen, url_of
from service.commands.supervisor import Supervisor
from service.commands.targets import DEV_KEY_FILE, RUNNING_FILE, Running, find_running
from service.commands.terminal import CommandError, say, warn
from service.database import api_keys
from service.database.connections import DatabaseError
from service.database.sessions import session
from service.embedded import EmbeddedError, EmbeddedPostgres, EmbeddedValkey, valkey
from service.embedded.processes import is_alive, stop_leftover
from service.embedded.statedir import StateDir
from service.logs import set_up_logging
from service.misnamed import PREFIX
from service.settings import MOST_WORKERS

if TYPE_CHECKING:
    from service.commands.terminal import Commands
    from service.settings import Settings

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # besides Ctrl-C
STOP_SECONDS = 120.0  # for what is in flight and PostgreSQL's last checkpoint
VALKEY_PAUSE_SECONDS = 5.0  # between two attempts to start one that does not stay

logger = logging.getLogger(__name__)


def add_commands(commands: Commands) -> None:
    """Adds `up`, `serve` and `stop` to the parser."""
    parser = commands.add_parser("up", help="run everything, on an embedded PostgreSQL by default")
    _add_workers(parser)
    parser.set_defaults(run=run_up)
    parser = commands.add_parser("serve", help="run the service alone, on PAYLEDGER_DSN")
    _add_workers(parser)
    parser.set_defaults(run=run_serve)
    parser = commands.add_parser("stop", help="stop a running `up` and wait for its end")
    parser.set_defaults(run=run_stop)


def run_up(settings: Settings, options: argparse.Namespace) -> int:
    """Servers, migrations, development key, service; a signal ends all of it in order."""
    settings = _with_workers(settings, options)
    if settings.migrate_dsn and not settings.dsn:
        raise CommandError(
            "PAYLEDGER_MIGRATE_DSN is set, but PAYLEDGER_DSN is not: set both, or neither for the "
            "embedded PostgreSQL"
        )
    if running := find_running(settings):
        raise CommandError(
            f"it runs already, on {running.url} (process {running.pid}); `payledger stop` ends it"
        )
    for number in ENDING_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    try:
        return _up(settings)
    except KeyboardInterrupt:
        return 0  # before it was ready; everything begun has been ended
    except (DatabaseError, EmbeddedError, ListenError) as exc:
        raise CommandError(str(exc)) from exc


def run_serve(settings: Settings, options: argparse.Namespace) -> int:
    """The service alone; the database must have been migrated."""
    settings = _with_workers(settings, options)
    if settings.dsn is None:
        raise CommandError("set PAYLEDGER_DSN to the DSN of the service's login")
    try:
        with listen(settings.host, settings.port) as listener:
            url = url_of(listener)
            set_up_logging(settings)

            def ready() -> None:
                if settings.redis_url is None:
                    warn("PAYLEDGER_REDIS_URL is not set: the first cache layer is the only one")
                say(f"payledger serves {url}")

            Supervisor(settings, listener, _environment(settings)).run(ready)
    except ListenError as exc:
        raise CommandError(str(exc)) from exc
    except DatabaseError as exc:
        raise CommandError(f"PAYLEDGER_DSN: {exc}") from exc
    return 0


def run_stop(settings: Settings, _options: argparse.Namespace) -> int:
    """Ends a running `up`, and the servers that a killed one may have left."""
    state = StateDir(settings.state_dir)
    try:
        if (pid := state.holder()) is None:
            if cache := valkey.stop_leftover(valkey.leftover_of(state.path)):
                say("a leftover Valkey is stopped")
            if database := stop_leftover(state.data_dir):
                say("a leftover PostgreSQL is stopped")
            if not cache and not database:
                say("nothing was running")
            return 0
        with suppress(ProcessLookupError):  # it may have ended by itself just now
            os.kill(pid, signal.SIGTERM)
    except (PermissionError, EmbeddedError) as exc:
        raise CommandError(f"cannot stop what runs in {settings.state_dir}: {exc}") from exc
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(pid):
        if time.monotonic() > deadline:
            raise CommandError(f"process {pid} has not ended after {STOP_SECONDS:.0f} s")
        time.sleep(0.02)
    say(f"stopped (process {pid})")
    return 0


@dataclass(frozen=True)
class Database:
    """The database that `up` works with, and the server when that is ours."""

    dsn: str
    migrate_dsn: str
    cluster: EmbeddedPostgres | None = None


def _up(settings: Settings) -> int:
    state = StateDir(settings.state_dir)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        database = _open_database(settings, state, stack)
        running_file = state.path / RUNNING_FILE
        running_file.unlink(missing_ok=True)  # of one that was killed
        stack.callback(running_file.unlink, missing_ok=True)

        cache = _open_cache(settings, state, stack)
        _prepare(settings, state, database)
        host, port = listener.getsockname()[:2]
        running = Running(
            pid=os.getpid(),
            url=url_of(listener),
            host=host,
            port=port,
            dsn=database.dsn,
            migrate_dsn=database.migrate_dsn,
            embedded=database.cluster is not None,
            postgres_port=database.cluster.port if database.cluster else None,
            dev_key_file=str(state.path / DEV_KEY_FILE),
            workers=settings.workers,
            redis_url=settings.redis_url or (cache.server.url if cache else None),
        )

        def ready() -> None:
            running.write(state)
            say(_welcome(running, settings, database.cluster))

        def database_gone() -> bool:
            return database.cluster is not None and not database.cluster.runs

        set_up_logging(settings)
        supervisor = Supervisor(
            settings,
            listener,
            _environment(settings, DSN=database.dsn, REDIS_URL=running.redis_url or ""),
        )
        tend = cache.tend if cache is not None else lambda: None
        if supervisor.run(ready, tend, database_gone):
            return 0
    raise CommandError(
        f"PostgreSQL has died, see {_short(state.log)}; `payledger up` recovers all that was "
        "committed"
    )


def _open_database(settings: Settings, state: StateDir, stack: ExitStack) -> Database:
    """The environment's, or our own, started; the state directory is ours from here on."""
    if settings.dsn is not None:
        state.lock()
        stack.callback(state.unlock)
        return Database(settings.dsn, settings.migrate_dsn or settings.dsn)
    cluster = EmbeddedPostgres(settings.state_dir, bin_dir=settings.pg_bin)
    stack.callback(_stop_undisturbed, cluster)
    cluster.start()
    return Database(cluster.dsn("payledger_service"), cluster.dsn("payledger_migrator"), cluster)


def _stop_undisturbed(cluster: EmbeddedPostgres) -> None:
    for number in (signal.SIGINT, *ENDING_SIGNALS):
        signal.signal(number, signal.SIG_IGN)
    cluster.stop()


def _prepare(settings: Settings, state: StateDir, database: Database) -> None:
    """Migrations, memberships, development key."""
    hint = ""
    if database.cluster is None and settings.migrate_dsn is None:
        hint = "\n(tried with PAYLEDGER_DSN; set PAYLEDGER_MIGRATE_DSN to the owner's DSN)"
    report = migrate_or_fail(database.migrate_dsn, hint)
    if report.changed:
        warn(summary(report))
    if database.cluster is not None:
        database.cluster.grant_roles()
    asyncio.run(_keep_dev_key(state, database))


async def _keep_dev_key(state: StateDir, database: Database) -> None:
    """The development key of before when the database still knows it, else a new one."""
    if token := state.read(DEV_KEY_FILE):
        async with session(database.dsn, "payledger up") as con:
            if await api_keys.is_valid(con, token, api_keys.SCOPES):
                return
    async with session(database.migrate_dsn, "payledger up") as con:
        token = await api_keys.create(con, "development", api_keys.SCOPES, None)
    state.write(DEV_KEY_FILE, token + "\n")


class _Cache:
    """The embedded Valkey, started again when it has died: payments go on without it."""

    def __init__(self, server: EmbeddedValkey) -> None:
        self.server = server
        self._starts_at = 0.0

    def tend(self) -> None:
        """Has it run again, if it can be."""
        if self.server.runs or time.monotonic() < self._starts_at:
            return
        logger.error("Valkey has died", extra={"log": "valkey.log"})
        self._starts_at = time.monotonic() + VALKEY_PAUSE_SECONDS
        with suppress(EmbeddedError):
            self.server.start()


def _open_cache(settings: Settings, state: StateDir, stack: ExitStack) -> _Cache | None:
    """Our own Valkey, started, unless there is one in the environment; None: L1 alone."""
    if settings.redis_url is not None:
        return None
    try:
        server = EmbeddedValkey(state)
        stack.callback(server.stop)
        server.start()
    except EmbeddedError as exc:
        warn(f"the service runs on its first cache layer alone: {exc}")
        return None
    return _Cache(server)


def _environment(settings: Settings, **replaced: str) -> dict[str, str]:
    """What workers read their settings from: ours, with what the command line and we decided."""
    decided = {"WORKERS": str(settings.workers), "STATE_DIR": str(settings.state_dir), **replaced}
    return {**os.environ, **{PREFIX + name: value for name, value in decided.items()}}


def _add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers",
        type=_workers,
        metavar="N",
        help=(
            "how many processes serve on the one port"
            " (default: PAYLEDGER_WORKERS, or one a core, 8 at most)"
        ),
    )


def _workers(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_WORKERS):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_WORKERS}")
    return int(text)


def _with_workers(settings: Settings, options: argparse.Namespace) -> Settings:
    return dataclasses.replace(settings, workers=options.workers or settings.workers)


def _welcome(running: Running, settings: Settings, cluster: EmbeddedPostgres | None) -> str:
    """What to paste into another terminal opened in the same folder."""
    key_file = shlex.quote(_short(Path(running.dev_key_file)))
    if cluster is None:
        database = "PAYLEDGER_DSN"
    else:
        version = f"PostgreSQL {cluster.binaries.major}.{cluster.binaries.minor}"
        database = f"{version}, data in {_short(settings.state_dir)}"
    psql = "make psql" if Path("Makefile").exists() else "payledger psql"
    if settings.state_dir != Path.cwd() / ".payledger":
        psql = f"PAYLEDGER_STATE_DIR={shlex.quote(_short(settings.state_dir))} {psql}"
    return (
        f"payledger is ready on {running.url} ({database})\n\n"
        f'  curl -H "Authorization: Bearer $(cat {key_file})" '
        f"{running.url}/v1/ledgers/main/accounts\n"
        f"  {psql}\n\n"
        "Ctrl-C stops it."
    )


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
