"""One durable server for the whole run: both sides of every comparison work on it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.harness import BenchFailed
from bench.tools.pgbench import SQL, Pgbench
from bench.tools.service import Service
from service.database.migrations import migrate
from service.embedded import EmbeddedPostgres
from service.embedded.create import DATABASE

ACCOUNTS = 1000
SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB"}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
_SLOW_COMMITS = {"commit_delay": "1000", "commit_siblings": "0"}


@dataclass(frozen=True)
class Scale:
    """How long to look."""

    rounds: int
    seconds: float
    samples: int
    grow: bool


QUICK = Scale(rounds=3, seconds=1.5, samples=100, grow=False)
FULL = Scale(rounds=7, seconds=10, samples=300, grow=True)


class Lab:
    """What measurements share. Make it with `open_lab`."""

    def __init__(self, server: EmbeddedPostgres, home: Path, scale: Scale) -> None:
        self.server = server
        self.home = home
        self.scale = scale
        self.growth_dir: Path | None = None
        self.cores = os.cpu_count() or 1

    def prepare(self) -> None:
        """The ledger and the yardstick's tables, side by side in one database."""
        self.install(DATABASE)
        self.run_sql((SQL / "plain_tables.sql").read_text(), accounts=str(ACCOUNTS))
        self.create_accounts("bench", ACCOUNTS)

    def install(self, database: str) -> None:
        """The ledger, and the logins' rights to it."""
        asyncio.run(migrate(self.server.dsn("payledger_migrator", database)))
        self.server.grant_roles()

    def run_sql(self, sql: str, database: str = DATABASE, **variables: str) -> str:
        """As the superuser."""
        return self.server.run_sql(sql, database=database, variables=variables).strip()

    def create_accounts(self, prefix: str, count: int, database: str = DATABASE) -> None:
        """Those of `prefix:0` on that are not there yet; they may go below zero."""
        self.run_sql(
            """
            select count(*)
            from generate_series(0, :'count'::int - 1) i
            cross join lateral ledger.create_account(
              :'prefix' || ':' || i, 'USD', p_min_balance => null
            );
            vacuum analyze ledger.accounts;
            """,
            database,
            prefix=prefix,
            count=str(count),
        )

    def pgbench(self) -> Pgbench:
        """The one that belongs to the server."""
        return Pgbench(self.server.binaries.bin_dir / "pgbench", self.app_dsn(), ACCOUNTS)

    def admin_dsn(self, database: str = DATABASE) -> str:
        """For what looks on and prepares."""
        return self.server.dsn("postgres", database)

    def app_dsn(self, database: str = DATABASE) -> str:
        """For both sides of a comparison: an application's login is no superuser."""
        return self.server.dsn("payledger_service", database)

    def service(self, workers: int | None = None) -> Service:
        """The whole product on this server: workers, relay, listeners, L1 and L2."""
        return Service(
            self.home,
            dsn=self.app_dsn(),
            migrate_dsn=self.server.dsn("payledger_migrator"),
            workers=workers or self.cores,
        )

    def settle(self) -> None:
        """No measurement pays for what its predecessor left to be written."""
        self.run_sql("checkpoint;")

    @contextmanager
    def slow_commits(self) -> Iterator[None]:
        """Every flush takes a millisecond more, as on a disk that is farther away."""
        self._set(_SLOW_COMMITS)
        try:
            yield
        finally:
            self._set(dict.fromkeys(_SLOW_COMMITS))

    def settings(self) -> dict[str, str]:
        """What both sides run with; no figure counts unless commits are durable."""
        names = [*_DURABLE, *SETTINGS, "commit_delay", "wal_level", "server_version"]
        values = {name: self.run_sql(f"show {name};") for name in names}
        if values | _DURABLE != values:
            raise BenchFailed(f"the server is not durable: {values}")
        return values

    def _set(self, settings: dict[str, str] | dict[str, str | None]) -> None:
        for name, value in settings.items():
            self.run_sql(f"alter system {f'set {name} = {value}' if value else f'reset {name}'};")
        # Sessions read it with their next command, once the signal has reached them.
        self.run_sql("select pg_reload_conf(); select pg_sleep(0.2);")


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A directory for a run. Root's server, which runs as another user, gets through it: what it
    can't reach it would keep elsewhere, for good.
    """
    with tempfile.TemporaryDirectory(prefix="payledger-bench-") as home:
        os.chmod(home, 0o711)  # noqa: S103 - nobody reads it, the server passes through
        yield Path(home)


@contextmanager
def open_lab(home: Path, scale: Scale) -> Iterator[Lab]:
    """Starts the server, and ends it."""
    with EmbeddedPostgres(home, settings=SETTINGS) as server:
        lab = Lab(server, home, scale)
        lab.prepare()
        lab.settings()
        yield lab
