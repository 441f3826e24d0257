"""`up`, `serve` and `stop`: the service, with or without a PostgreSQL of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import shlex
import signal
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from service.commands.install import migrate_or_fail, summary
from service.commands.listening import ListenError, listen, url_of
from service.commands.targets import DEV_KEY_FILE, RUNNING_FILE, Running, find_running
from service.commands.terminal import CommandError, say, warn
from service.database import api_keys
from service.database.sessions import DatabaseError, session
from service.embedded import EmbeddedError, EmbeddedPostgres
from service.embedded.processes import is_alive, stop_leftover
from service.embedded.statedir import StateDir

if TYPE_CHECKING:
    import argparse
    import socket
    from collections.abc import Callable

    from service.commands.terminal import Commands
    from service.settings import Settings

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
    for number in (signal.SIGTERM, signal.SIGHUP):
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


def _up(settings: Settings) -> int:
    state = StateDir(settings.state_dir)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, settings.port))
        cluster = None
        if settings.dsn is None:
            cluster = EmbeddedPostgres(settings.state_dir, bin_dir=settings.pg_bin)
            stack.callback(cluster.stop)
            cluster.start()
            service_dsn = cluster.dsn("payledger_service")
            migrate_dsn = cluster.dsn("payledger_migrator")
        else:
            state.lock()
            stack.callback(state.unlock)
            service_dsn = settings.dsn
            migrate_dsn = settings.migrate_dsn or settings.dsn
        stack.callback((state.path / RUNNING_FILE).unlink, missing_ok=True)

        report = migrate_or_fail(migrate_dsn)
        if report.changed:
            warn(summary(report))
        if cluster is not None:
            cluster.grant_roles()
        asyncio.run(_keep_dev_key(state, service_dsn, migrate_dsn))

        host, port = listener.getsockname()[:2]
        running = Running(
            pid=os.getpid(),
            url=url_of(listener),
            host=host,
            port=port,
            dsn=service_dsn,
            migrate_dsn=migrate_dsn,
            embedded=cluster is not None,
            postgres_port=cluster.port if cluster else None,
            dev_key_file=str(state.path / DEV_KEY_FILE),
        )

        def ready() -> None:
            running.write(state)
            say(_welcome(running, settings, cluster))

        settings = dataclasses.replace(settings, dsn=service_dsn, migrate_dsn=migrate_dsn)
        if _serve(settings, listener, ready, cluster):
            return 0
    raise CommandError(
        "PostgreSQL has died; its log is postgres.log in the state directory. "
        "`payledger up` recovers what was committed"
    )


def _serve(
    settings: Settings,
    listener: socket.socket,
    on_ready: Callable[[], None],
    cluster: EmbeddedPostgres | None = None,
) -> bool:
    """False when the embedded server died under it."""
    # Here, because aiohttp takes longer to import than the other commands to run.
    from service.app import create_app
    from service.server import serve

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


async def _keep_dev_key(state: StateDir, service_dsn: str, migrate_dsn: str) -> None:
    """The development key of before when the database still knows it, else a new one."""
    async with session(service_dsn, "payledger up") as con:
        token = state.read(DEV_KEY_FILE)
        if token and await api_keys.is_valid(con, token, api_keys.SCOPES):
            return
    async with session(migrate_dsn, "payledger up") as con:
        token = await api_keys.create(con, "development", api_keys.SCOPES, None)
    state.write(DEV_KEY_FILE, token + "\n")


def _welcome(running: Running, settings: Settings, cluster: EmbeddedPostgres | None) -> str:
    """What to paste into another terminal opened in the same folder."""
    key_file = shlex.quote(_short(Path(running.dev_key_file)))
    database = (
        f"{cluster.binaries}, data in {_short(settings.state_dir)}" if cluster else "PAYLEDGER_DSN"
    )
    psql = "make psql" if Path("Makefile").exists() else "payledger psql"
    if settings.state_dir != Path.cwd() / ".payledger":
        psql = f"PAYLEDGER_STATE_DIR={shlex.quote(_short(settings.state_dir))} {psql}"
    return (
        f"payledger is ready on {running.url} (database: {database})\n\n"
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
