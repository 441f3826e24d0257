"""A PostgreSQL server of our own: made when missing, found again later, gone when we are."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from service.embedded import create
from service.embedded.binaries import PostgresBinaries, find_postgres, inspect_postgres
from service.embedded.config import default_settings, render
from service.embedded.elsewhere import reachable_binaries
from service.embedded.errors import EmbeddedError
from service.embedded.identity import Identity
from service.embedded.launch import Launch, Server, pick_port, port_is_free
from service.embedded.processes import stop_leftover
from service.embedded.psql import find_psql, run_psql
from service.embedded.statedir import StateDir
from service.embedded.watched import StopMode

log = logging.getLogger("payledger.embedded")

PORT_ATTEMPTS = 5
PREPARED = ("prepared", *(f"passwords/{user}" for user in create.LOGINS))


class EmbeddedPostgres:
    """One cluster in one state directory.

    It stops with this process, even when that is killed. Every method blocks, most for
    milliseconds; start() for about a quarter of a second, and two the first time.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        bin_dir: Path | None = None,
        port: int = 0,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`port` 0: a free one, used again by the next start. `settings` beat the defaults."""
        self.state = StateDir(state_dir)
        self._bin_dir = bin_dir
        self._fixed_port = port
        self._settings = default_settings() | dict(settings or {})
        self._server: Server | None = None
        self._owner = 0
        self._binaries: PostgresBinaries | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # -- life --------------------------------------------------------------------------------

    def start(self) -> None:
        """Make the cluster if there is none, end a leftover server, start, wait until ready."""
        if self._server is not None and self._server.runs:
            raise EmbeddedError(f"the embedded PostgreSQL in {self.state.path} runs already")
        self._end("fast")  # of one that crashed
        self._owner = os.getpid()
        self.state.lock()
        try:
            self._start_locked()
        except BaseException:
            self._end("fast")
            raise

    def stop(self, mode: StopMode = "fast") -> None:
        """Shut down and wait for the end. Nothing happens when it doesn't run."""
        if self._server is not None and self._owner == os.getpid():
            self._end(mode)

    def kill(self) -> None:
        """SIGKILL for every process of the server; start() then recovers, as after a crash."""
        if self._server is not None and self._owner == os.getpid():
            self._server.kill()
            self._end("immediate")

    def remove_data(self) -> None:
        """Delete the cluster for good, wherever it is. It must not be running."""
        self.state.lock()
        try:
            if self.state.server_dir.exists():
                self.state.lock_data()
                stop_leftover(self.data_dir)
            self.state.remove_data()
        finally:
            self.state.unlock()

    # -- facts -------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._server is None:
            raise EmbeddedError("the embedded PostgreSQL doesn't run")
        return self._server.pid

    @property
    def runs(self) -> bool:
        """Whether the server's process is there (a crash makes this false without stop())."""
        return self._server is not None and self._server.runs

    @property
    def port(self) -> int:
        """The port, also of a cluster that another process runs."""
        port = self._fixed_port or int(self.state.read("port") or 0)
        if not port:
            raise EmbeddedError(f"the embedded PostgreSQL in {self.state.path} was never started")
        return port

    @property
    def data_dir(self) -> Path:
        """Where the data really lives."""
        return self.state.data_dir

    @property
    def binaries(self) -> PostgresBinaries:
        """The programs used: those asked for, or the preferred ones that can run this data."""
        if self._binaries is None:
            self._binaries = self._choose_binaries()
        return self._binaries

    def dsn(self, user: str = "payledger_service", database: str = create.DATABASE) -> str:
        """A URL with the password in it; works in other processes than the one that started."""
        password = self.state.password(user)
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{quote(database, safe='')}"

    # -- SQL ---------------------------------------------------------------------------------

    def run_sql(
        self,
        sql: str,
        *,
        user: str = create.SUPERUSER,
        database: str = "postgres",
        variables: Mapping[str, str] | None = None,
    ) -> str:
        """Run SQL through psql, over the unix socket; its unaligned output without headings.

        `variables` are psql's: `:'name'` is a quoted literal, `:"name"` a quoted identifier.
        """
        if self._server is None:
            raise EmbeddedError("the embedded PostgreSQL doesn't run")
        connection = {
            "PGHOST": str(self._server.launch.socket_dir),
            "PGPORT": str(self._server.launch.port),
            "PGUSER": user,
            "PGPASSWORD": self.state.password(user),
            "PGDATABASE": database,
        }
        return run_psql(find_psql(self.binaries.bin_dir), connection, sql, variables or {})

    def grant_roles(self) -> None:
        """Make the logins members of the ledger's roles; call after migrating. Repeatable."""
        self.run_sql(create.GRANT_ROLES)

    def create_database(self, name: str, template: str | None = None) -> None:
        """Make a database of the migrator's, as a copy of `template` if one is given."""
        self.run_sql(
            'create database :"name" owner payledger_migrator template :"template";',
            variables={"name": name, "template": template or "template1"},
        )

    def drop_database(self, name: str) -> None:
        """Drop a database, throwing out who uses it; one that isn't there is no error."""
        self.run_sql(
            'set client_min_messages = warning;\ndrop database if exists :"name" with (force);',
            variables={"name": name},
        )

    # -- steps of a start --------------------------------------------------------------------

    def _start_locked(self) -> None:
        identity = self.state.identity()
        self.state.make_server_dir(identity)
        self.state.lock_data()
        stop_leftover(self.data_dir)
        self._binaries = None  # the data may have been replaced since the last start
        bin_dir = reachable_binaries(self.binaries, identity)
        self._make_cluster(identity, bin_dir)
        create.write_config(identity, self.data_dir, render(self._settings))
        self._launch(identity, bin_dir)
        if not all(self.state.has(name) for name in PREPARED):
            self._prepare()
        log.info("%s on port %d, data in %s", self.binaries, self.port, self.data_dir)

    def _make_cluster(self, identity: Identity, bin_dir: Path) -> None:
        """Run initdb if there is no data; if only the superuser's password is lost, set one."""
        new, password_known = not self.data_dir.exists(), self.state.has("passwords/postgres")
        password = self.state.password(create.SUPERUSER, make=True)
        if new:
            log.info("making a %s cluster in %s", self.binaries, self.data_dir)
            self.state.remove("prepared")
            sync = self._settings["fsync"] != "off"
            major = self.binaries.major
            create.make_cluster(identity, bin_dir, major, self.data_dir, password, sync=sync)
        elif not password_known:
            create.reset_password(identity, bin_dir, self.data_dir, password)

    def _launch(self, identity: Identity, bin_dir: Path) -> None:
        """Start the server, on another port when a stranger has got ours."""
        for attempts_left in reversed(range(PORT_ATTEMPTS)):
            port = self._choose_port()
            socket_dir = self.state.make_socket_dir(identity)
            launch = Launch(identity, bin_dir, self.data_dir, port, socket_dir, self.state.log)
            log_fd = self.state.open_log(self.state.log.name)
            try:
                self._server = Server(launch, log_fd)
            finally:
                os.close(log_fd)
            try:
                self._server.wait_ready()
                break
            except EmbeddedError:
                if self._fixed_port or port_is_free(port) or not attempts_left:
                    raise

    def _choose_port(self) -> int:
        kept = int(self.state.read("port") or 0)
        port = self._fixed_port or (kept if kept and port_is_free(kept) else pick_port())
        if not port_is_free(port):
            raise EmbeddedError(f"port {port} on 127.0.0.1 is taken by another program")
        if port != kept:
            self.state.write("port", f"{port}\n")
        return port

    def _prepare(self) -> None:
        passwords = {user: self.state.password(user, make=True) for user in create.LOGINS}
        self.run_sql(create.PREPARE_LOGINS, variables=passwords)
        self.state.write("prepared", "logins and database\n")

    def _choose_binaries(self) -> PostgresBinaries:
        version_file = self.data_dir / "PG_VERSION"
        data_major = int(version_file.read_text()) if version_file.exists() else None
        if self._bin_dir is None:
            return find_postgres(major=data_major)
        chosen = inspect_postgres(self._bin_dir.absolute(), "chosen")
        if data_major not in (None, chosen.major):
            raise EmbeddedError(
                f"the data in {self.data_dir} is of PostgreSQL {data_major}; {chosen} can't run it"
            )
        return chosen

    def _end(self, mode: StopMode) -> None:
        """Stop what runs, if anything, and let others use the cluster."""
        try:
            if self._server is not None:
                self._server.stop(mode)
                self.state.drop_socket_dir()
        finally:
            self._server = None
            self.state.unlock()
