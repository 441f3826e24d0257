"""The servers that the database tests run on, each with a migrated template database.

Every PostgreSQL on this machine, started here: the embedded 18, and Debian's 15 where it is
installed. With PAYLEDGER_TEST_BACKEND=container a container instead, of PAYLEDGER_TEST_IMAGE.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import pytest

from service.database.migrations import migrate
from service.embedded import EmbeddedPostgres, PostgresBinaries, create, list_postgres
from service.embedded.psql import find_psql
from support import prepared
from support.auditor import Auditor
from support.container import ContainerPostgres
from support.passwords import verifier

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

BACKENDS = ("embedded", "container")
TEMPLATE = "payledger_template"
BREACHES = Path(__file__).parents[2] / "db" / "tests" / "_breaches.sql"

# Throw-away data: nothing is flushed, nothing runs in the background.
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "max_prepared_transactions": "10",
    "deadlock_timeout": "200ms",  # a deadlock is found soon; nothing here waits on purpose
}


class Postgres(Protocol):
    """What EmbeddedPostgres and ContainerPostgres both can."""

    def start(self) -> None: ...

    def dsn(self, user: str = ..., database: str = ...) -> str: ...

    def run_sql(
        self,
        sql: str,
        *,
        user: str = ...,
        database: str = ...,
        variables: Mapping[str, str] | None = ...,
    ) -> str: ...

    def grant_roles(self) -> None: ...

    def create_database(self, name: str, template: str | None = None) -> None: ...

    def drop_database(self, name: str) -> None: ...


@dataclass
class Server:
    """A running server; `new_database` copies the migrated template."""

    postgres: Postgres
    major: int
    label: str
    psql: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)
    logins: dict[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Make the template: migrated by the migrator's login, its roles granted."""
        self.postgres.create_database(TEMPLATE)
        run(migrate(self.postgres.dsn("payledger_migrator", TEMPLATE)))
        self.postgres.grant_roles()
        self.sql(BREACHES.read_text(encoding="utf-8"), TEMPLATE)
        for user in (create.SUPERUSER, *create.LOGINS):
            password = urlsplit(self.postgres.dsn(user, "postgres")).password or ""
            self.sql(f"alter role {user} password '{verifier(password)}'")

    def new_database(self, template: str = TEMPLATE) -> str:
        """The name of a fresh copy."""
        name = f"test_{os.getpid()}_{next(self.numbers)}"
        self.postgres.create_database(name, template)
        return name

    @cached_property
    def shared_database(self) -> str:
        """The name of one database for all tests that keep to a ledger of their own: no copying."""
        return self.new_database()

    @cached_property
    def auditor(self) -> Auditor:
        """For the shared database."""
        return Auditor(self.dsn("postgres", self.shared_database))

    def close(self) -> None:
        """What goes on beside the server."""
        if "auditor" in vars(self):
            self.auditor.close()

    def new_login(self, name: str, member_of: str | None = None) -> None:
        """A login with no rights but those of one group, until drop_logins; made once."""
        if name not in self.logins:
            self.logins[name] = secrets.token_urlsafe(12)
            self.sql(f"create role {name} login password '{verifier(self.logins[name])}'")
        if member_of:
            self.sql(f"grant {member_of} to {name}")

    def drop_logins(self) -> None:
        """Those of new_login: verify_ledger of every database finds who is in an owner's role."""
        for name in self.logins:
            self.sql(f"drop role {name}")
        self.logins.clear()

    def dsn(self, user: str, database: str) -> str:
        if user not in self.logins:
            return self.postgres.dsn(user, database)
        dsn = urlsplit(self.postgres.dsn("postgres", database))
        netloc = f"{user}:{self.logins[user]}@{dsn.hostname}:{dsn.port}"
        return dsn._replace(netloc=netloc).geturl()

    def sql(self, sql: str, database: str = "postgres", user: str = "postgres") -> str:
        """Unaligned output of psql, by default as the superuser."""
        return self.postgres.run_sql(sql, database=database, user=user)


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine, from a fixture that is none; leaves the test's loop alone."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result()


def each_server() -> list[Any]:
    """A parameter for every server the tests are to run on, and a skip for what is missing."""
    backend = os.environ.get("PAYLEDGER_TEST_BACKEND", "embedded")
    if backend not in BACKENDS:
        raise pytest.UsageError(f"PAYLEDGER_TEST_BACKEND: {backend!r} is none of {BACKENDS}")
    if backend == "container":
        return [pytest.param("container", id="container")]
    found = list_postgres()
    # One of each version: the preferred one.
    majors = {server.major: server for server in reversed(found)}
    servers = [
        pytest.param(server, id=_label(server))
        for server in found
        if majors[server.major] is server
    ]
    if all(server.major >= 18 for server in found):
        reason = "no PostgreSQL 15, 16 or 17 on this machine (Debian: apt install postgresql)"
        servers.append(pytest.param(None, id="older", marks=pytest.mark.skip(reason=reason)))
    return servers


@contextmanager
def started_server(parameter: Any) -> Iterator[Server]:
    """The server of one of each_server's parameters, prepared; ended when closed."""
    if parameter == "container":
        yield from _start_container()
        return
    root = Path(tempfile.mkdtemp(prefix="payledger-tests-"))
    root.chmod(0o711)  # the server's user isn't root
    copied = prepared.copy(_label(parameter), partial(_make, parameter), root / "state")
    try:
        with _running(parameter, root / "state") as (_, server):
            if not copied:
                server.prepare()
            with closing(server):
                yield server
    finally:
        shutil.rmtree(root)


def _make(parameter: PostgresBinaries, state: Path) -> None:
    """What copies are made of: the directory of a server that was prepared, then stopped."""
    with _running(parameter, state, keep=True) as (postgres, server):
        server.prepare()
        postgres.stop()
        postgres.state.remove("port")  # or each copy would try for the same


@contextmanager
def _running(
    parameter: PostgresBinaries, state: Path, *, keep: bool = False
) -> Iterator[tuple[EmbeddedPostgres, Server]]:
    """An embedded server in this directory; `keep` what it has when all went well."""
    postgres = EmbeddedPostgres(state, bin_dir=parameter.bin_dir, settings=SETTINGS)
    try:
        postgres.start()
        yield (
            postgres,
            Server(postgres, parameter.major, _label(parameter), find_psql(parameter.bin_dir)),
        )
    except BaseException:
        keep = False
        raise
    finally:
        postgres.stop("immediate")
        if not keep:
            postgres.remove_data()
        postgres.state.drop_socket_dir()


def _label(parameter: PostgresBinaries) -> str:
    return f"{parameter.source}{parameter.major}"


def _start_container() -> Iterator[Server]:
    if problem := ContainerPostgres.problem():
        pytest.skip(f"PAYLEDGER_TEST_BACKEND=container: {problem}")
    postgres = ContainerPostgres(
        os.environ.get("PAYLEDGER_TEST_IMAGE", "postgres:18"),
        SETTINGS,
        password=secrets.token_urlsafe(12),
        psql=find_psql(list_postgres()[0].bin_dir),
    )
    try:
        postgres.start()
        server = Server(postgres, postgres.major, "container", postgres.psql)
        server.prepare()
        with closing(server):
            yield server
    finally:
        postgres.stop()
