"""`up`, `serve` and `stop`: the service, with or without a PostgreSQL of its own."""

from __future__ import annotations

import asyncio
import dataclasses
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
from service.commands.targets import DEV_KEY_FILE, RUNNING_FILE, Running, find_running
from service.commands.terminal import CommandError, say, warn
from service.database import api_keys
from service.database.connections import DatabaseError
from service.database.sessions import session
from service.embedded import EmbeddedError, EmbeddedPostgres
from service.embedded.processes import is_alive, stop_leftover
from service.embedded.statedir import StateDir

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Callable

    from service.commands.terminal import Commands
    from service.settings import Settings

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # besides Ctrl-C
STOP_SECONDS = 120.0  # for what is in flight and PostgreSQL's last checkpoint
SHUTDOWN_MARGIN_SECONDS = 2.0  # a request that ends at its deadline still gets its answer


def add_commands(commands: Commands) -> None:
    """Adds `up`, `serve` and `stop` to the parser."""
    parser = commands.add_parser("up", help="run everything, on an embedded PostgreSQL by default")
    parser.set_defaults(run=run_up)
    parser = commands.add_parser("serve", help="run the service alone, on PAYLEDGER_DSN")
    parser.set_defaults(run=run_serve)
    parser = commands.add_parser("stop", help="stop a running `up` and wait for its end")
    parser.set_defaults(run=run_stop)


def run_up(settings: Settings, _options: argparse.Namespace) -> int:
    """Database, migrations, development key, service; a signal ends all of it in order."""
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


def run_serve(settings: Settings, _options: argparse.Namespace) -> int:
    """The service alone; the database must have been migrated."""
    if settings.dsn is None:
        raise CommandError("set PAYLEDGER_DSN to the DSN of the service's login")
    try:
        with listen(settings.host, settings.port) as listener:
            _serve(settings, listener, lambda: say(f"payledger serves {url_of(listener)}"))
    except ListenError as exc:
        raise CommandError(str(exc)) from exc
    except DatabaseError as exc:
        raise CommandError(f"PAYLEDGER_DSN: {exc}") from exc
    return 0


def run_stop(settings: Settings, _options: argparse.Namespace) -> int:
    """Ends a running `up`, and the server that a killed one may have left."""
    state = StateDir(settings.state_dir)
    try:
        if (pid := state.holder()) is None:
            stopped = stop_leftover(state.data_dir)
            say("a leftover PostgreSQL is stopped" if stopped else "nothing was running")
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
        )

        def ready() -> None:
            running.write(state)
            say(_welcome(running, settings, database.cluster))

        service = dataclasses.replace(settings, dsn=database.dsn, migrate_dsn=database.migrate_dsn)
        if _serve(service, listener, ready, database.cluster):
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


def _serve(
    settings: Settings,
    listener: socket.socket,
    on_ready: Callable[[], None],
    cluster: EmbeddedPostgres | None = None,
) -> bool:
    """False when the embedded server died under it."""
    # Here, because aiohttp takes longer to import than the other commands to run.
    from service.api.logs import set_up_logging
    from service.app import create_app
    from service.server import serve

    set_up_logging(settings)

    async def died() -> None:
        while cluster is not None and cluster.runs:  # noqa: ASYNC110 - nothing tells us
            await asyncio.sleep(0.5)

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(
            serve(
                create_app(settings),
                listener,
                shutdown_seconds=settings.deadline_seconds + SHUTDOWN_MARGIN_SECONDS,
                on_ready=on_ready,
                lost=died if cluster is not None else None,
            )
        )


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


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt
