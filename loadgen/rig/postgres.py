"""PostgreSQL servers of our own: a primary and its standby, which may change places."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg

from loadgen.rig.programs import (
    RigFailed,
    User,
    children_of,
    free_port,
    run,
    send,
    start,
    wait_gone,
)

START_SECONDS = 60.0
SUPERUSER, DATABASE = "postgres", "payledger"

SETTINGS = {
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_level": "replica",
    "max_wal_senders": "8",
    "hot_standby": "on",
    "wal_log_hints": "on",  # pg_rewind
    "wal_keep_size": "512MB",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "max_connections": "120",
    "max_prepared_transactions": "4",
    "max_locks_per_transaction": "128",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "lc_messages": "C",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "wal_receiver_timeout": "5s",
    "wal_sender_timeout": "5s",
    "wal_retrieve_retry_interval": "200ms",
    "restart_after_crash": "on",
}

LOGINS = """
create role payledger_migrator login createrole password '{password}';
create role payledger_service login password '{password}';
create role stranger login password '{password}';
alter role payledger_service set statement_timeout = '30s';
alter role payledger_service set lock_timeout = '5s';
alter role payledger_service set idle_in_transaction_session_timeout = '10s';
create database payledger owner payledger_migrator;
"""
GRANTS = """
grant ledger_app, ledger_relay to payledger_service;
grant ledger_admin to payledger_migrator;
"""


class Postgres:
    """One server with its data directory and a port that stays its own."""

    def __init__(self, name: str, home: Path, bin_dir: Path, user: User, password: str) -> None:
        self.name = name
        self.data = home / name
        self.log = home / f"{name}.log"
        self.port = free_port()
        self._home = home
        self._bin = bin_dir
        self._user = user
        self._password = password
        self._process: asyncio.subprocess.Process | None = None
        self.environment: dict[str, str] = {}
        """More for the server's own environment, from its next start on."""

    def dsn(self, user: str = SUPERUSER, database: str = DATABASE, port: int | None = None) -> str:
        """Give a DSN; through a wire, when its port is given."""
        return f"postgresql://{user}:{self._password}@127.0.0.1:{port or self.port}/{database}"

    @property
    def runs(self) -> bool:
        """Say whether its main process is there."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """Give the main process."""
        if self._process is None:
            raise RigFailed(f"PostgreSQL {self.name} was never started")
        return self._process.pid

    async def create(self) -> None:
        """Make an empty cluster."""
        secret = self._home / f"{self.name}.password"
        await self._shell('umask 077; cat > "$1"', secret, text=self._password)
        await run(
            [
                self._bin / "initdb",
                f"--pgdata={self.data}",
                f"--username={SUPERUSER}",
                f"--pwfile={secret}",
                "--auth=scram-sha-256",
                "--data-checksums",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
            ],
            env=self._env(),
            user=self._user,
        )
        await self._configure(SETTINGS)

    async def create_from(self, primary: Postgres) -> None:
        """Make a copy of a running primary, to be its standby."""
        if self.data.exists():
            await asyncio.to_thread(shutil.rmtree, self.data)
        await run(
            [
                self._bin / "pg_basebackup",
                f"--dbname={primary.dsn(database='postgres')}",
                f"--pgdata={self.data}",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
            ],
            env=self._env(),
            user=self._user,
        )
        await self._follow(primary)

    async def rewind_to(self, primary: Postgres) -> None:
        """Make a former primary a standby of the one that took its place."""
        await run(
            [
                self._bin / "pg_rewind",
                f"--target-pgdata={self.data}",
                f"--source-server={primary.dsn(database='postgres')}",
                "--no-sync",
            ],
            env=self._env(),
            user=self._user,
        )
        await self._shell('touch "$1"', self.data / "standby.signal")
        await self._follow(primary)

    async def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._process = await start(
            [
                self._bin / "postgres",
                "-D",
                self.data,
                "-c",
                f"port={self.port}",
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ],
            self.log,
            env=self._env() | self.environment,
            user=self._user,
            ends_by=signal.SIGQUIT,
        )
        await self.ready()

    async def promote(self) -> None:
        """Make a standby the primary, and wait for it.

        Not by SQL: pg_promote waits, and what it must wait for may be the end of its own snapshot.
        """
        await run(
            [self._bin / "pg_ctl", "promote", f"--pgdata={self.data}", "--timeout=60"],
            env=self._env(),
            user=self._user,
        )

    async def ready(self) -> None:
        """Return when it takes connections."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + START_SECONDS
        while True:
            if not self.runs:
                raise RigFailed(f"PostgreSQL {self.name} has ended:\n{self._log_tail()}")
            try:
                await self.sql("select 1", database="postgres", patience=0.5)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                if loop.time() > deadline:
                    why = f"PostgreSQL {self.name} does not answer: {error}"
                    raise RigFailed(f"{why}\n{self._log_tail()}") from error
                await asyncio.sleep(0.05)
            else:
                return

    async def kill(self) -> None:
        """SIGKILL for every process of the server, its main one first, so that none is replaced."""
        if self._process is None or not self.runs:
            return
        children = children_of(self.pid)
        send(self.pid, signal.SIGKILL)
        for child in children:
            send(child, signal.SIGKILL)
        await self._process.wait()
        # The next start refuses while one of the old processes holds the shared memory.
        await asyncio.to_thread(wait_gone, children)

    async def stop(self) -> None:
        """Shut down in order."""
        if self._process is not None and self.runs:
            send(self.pid, signal.SIGCONT)
            send(self.pid, signal.SIGINT)
            try:
                await asyncio.wait_for(self._process.wait(), 30)
            except TimeoutError:
                await self.kill()

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to every process of the server."""
        for pid in (self.pid, *children_of(self.pid)):
            send(pid, number)

    async def sql(
        self, query: str, *arguments: object, database: str = DATABASE, patience: float = 5.0
    ) -> Any:
        """Run SQL as the superuser on a connection of its own; give the first value."""
        connection = await asyncpg.connect(self.dsn(database=database), timeout=patience)
        try:
            if arguments:
                return await connection.fetchval(query, *arguments, timeout=60)
            rows = await connection.fetch(query, timeout=60) if _reads(query) else None
            if rows is None:
                await connection.execute(query, timeout=60)
            return rows[0][0] if rows else None
        finally:
            connection.terminate()

    async def wait_streaming(self) -> None:
        """Return when a standby follows this primary and holds its commits."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self.sql(
            "select count(*) > 0 from pg_stat_replication"
            " where state = 'streaming' and sync_state in ('sync', 'quorum')"
        ):
            if asyncio.get_running_loop().time() > deadline:
                raise RigFailed(f"no synchronous standby follows {self.name}")
            await asyncio.sleep(0.1)

    async def set(self, name: str, value: str | None) -> None:
        """Change a setting of the running server; None: back to what it was."""
        change = f"set {name} = '{value}'" if value is not None else f"reset {name}"
        await self.sql(f"alter system {change}", database="postgres")
        await self.sql("select pg_reload_conf()", database="postgres")

    async def _follow(self, primary: Postgres) -> None:
        conninfo = primary.dsn(database="postgres") + f"?application_name={self.name}"
        await self._shell(
            'printf "%s\\n" "$2" >> "$1"',
            self.data / "postgresql.auto.conf",
            f"primary_conninfo = '{conninfo}'\nsynchronous_standby_names = ''",
        )

    async def _configure(self, settings: Mapping[str, str]) -> None:
        lines = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
        await self._shell('cat >> "$1"', self.data / "postgresql.conf", text=lines)

    async def _shell(self, script: str, *arguments: str | Path, text: str = "") -> None:
        """As the server's user: root writes nothing into its directory."""
        await run(["/bin/sh", "-euc", script, "sh", *arguments], user=self._user, text=text)

    def _env(self) -> dict[str, str]:
        return {
            "PATH": f"{self._bin}:/usr/bin:/bin",
            "LC_ALL": "C",
            "LD_LIBRARY_PATH": str(self._bin.parent / "lib"),
        }

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])


def _reads(query: str) -> bool:
    return query.lstrip().lower().startswith(("select", "with"))
