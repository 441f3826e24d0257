"""PostgreSQL in a container, for those who ask for it; see servers.py."""

from __future__ import annotations

import gc
import importlib
import warnings
from typing import TYPE_CHECKING
from urllib.parse import quote

from service.embedded import EmbeddedError, create
from service.embedded.processes import wait_until
from service.embedded.psql import run_psql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from testcontainers.core.container import DockerContainer


class ContainerPostgres:
    """A container of a PostgreSQL image that knows POSTGRES_PASSWORD, as the official one does."""

    def __init__(
        self, image: str, settings: Mapping[str, str], *, password: str, psql: Path
    ) -> None:
        self.psql = psql
        self._image = image
        self._settings = settings
        self._password = password  # of every login
        self._container: DockerContainer | None = None
        self._host, self._port = "", 0

    @staticmethod
    def problem() -> str | None:
        """Why no container can be started; None: nothing is in the way."""
        docker = importlib.import_module("docker")  # slow, rarely needed, and has no types
        problem = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)  # a client that fails stays open
            try:
                client = docker.from_env(timeout=5)
                client.ping()
                client.close()
            except (docker.errors.DockerException, OSError) as error:
                problem = f"no Docker engine answers ({error})"
            gc.collect()
        return problem

    def start(self) -> None:
        """Run it, wait until it answers over TCP, make the logins."""
        from testcontainers.core.container import DockerContainer

        command = [word for name, value in self._settings.items() for word in _option(name, value)]
        # The official image's first server, which runs its scripts, listens on a socket only.
        container = DockerContainer(self._image, ports=[5432]).with_command(["postgres", *command])
        self._container = container.with_env("POSTGRES_PASSWORD", self._password)
        self._container.start()
        self._host = self._container.get_container_host_ip()
        self._port = int(self._container.get_exposed_port(5432))
        if not wait_until(self._answers, 60):
            raise EmbeddedError(f"a container of {self._image} doesn't answer: {self._logs()}")
        passwords = dict.fromkeys(create.LOGINS, self._password)
        self.run_sql(create.PREPARE_LOGINS, variables=passwords)

    def stop(self) -> None:
        """Remove it, with its data."""
        if self._container is not None:
            self._container.stop()

    @property
    def major(self) -> int:
        return int(self.run_sql("show server_version_num")) // 10000

    def dsn(self, user: str = "payledger_service", database: str = create.DATABASE) -> str:
        password = quote(self._password)
        return f"postgresql://{user}:{password}@{self._host}:{self._port}/{quote(database)}"

    def run_sql(
        self,
        sql: str,
        *,
        user: str = create.SUPERUSER,
        database: str = "postgres",
        variables: Mapping[str, str] | None = None,
    ) -> str:
        connection = {
            "PGHOST": self._host,
            "PGPORT": str(self._port),
            "PGUSER": user,
            "PGPASSWORD": self._password,
            "PGDATABASE": database,
        }
        return run_psql(self.psql, connection, sql, variables or {})

    def grant_roles(self) -> None:
        self.run_sql(create.GRANT_ROLES)

    def create_database(self, name: str, template: str | None = None) -> None:
        self.run_sql(
            'create database :"name" owner payledger_migrator template :"template";',
            variables={"name": name, "template": template or "template1"},
        )

    def drop_database(self, name: str) -> None:
        self.run_sql(
            'set client_min_messages = warning;\ndrop database if exists :"name" with (force);',
            variables={"name": name},
        )

    def _answers(self) -> bool:
        try:
            return self.run_sql("select 1") == "1"
        except EmbeddedError:
            return False

    def _logs(self) -> str:
        assert self._container is not None
        return b"\n".join(self._container.get_logs()).decode(errors="replace")[-2000:]


def _option(name: str, value: str) -> tuple[str, str]:
    return "-c", f"{name}={value}"
