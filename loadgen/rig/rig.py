"""The whole of it: two services, a primary with a synchronous standby, Valkey, and their wires.

clients -> wire -> service 1 \\                / wire -> primary -> standby
clients -> wire -> service 2 -+- wire -> Valkey
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from loadgen.proxy.postgres import PostgresWire
from loadgen.proxy.wire import Wire
from loadgen.rig.disk import Disk
from loadgen.rig.postgres import GRANTS, LOGINS, Postgres
from loadgen.rig.programs import postgres_programs, unprivileged, valkey_program
from loadgen.rig.service import Service, command
from loadgen.rig.valkey import Valkey

SERVICES = 2


class Rig:
    """Runs while it is entered. Which server is the primary changes in a failover."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="payledger-prove-"))
        self.home.chmod(0o711)
        self.bin_dir = postgres_programs()
        self.disk = Disk(self.home)
        self.keep = False
        """Leave data and logs for a look."""
        self.services: list[Service] = []
        self.service_wires: list[Wire] = []
        self.valkey: Valkey | None = None
        self.valkey_wire: Wire | None = None
        self.key = ""
        self._password = secrets.token_hex(12)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            self.keep = True
            await self._tear_down()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._tear_down()

    @property
    def urls(self) -> list[str]:
        """Where the clients go: one for each service, each through its wire."""
        return [f"http://127.0.0.1:{wire.port}" for wire in self.service_wires]

    @property
    def owner_dsn(self) -> str:
        """The DSN of the login that may read everything."""
        return self.primary.dsn("payledger_migrator")

    async def _build(self) -> None:
        await self.disk.create()
        user = unprivileged()
        data = self.disk.path / "postgres"
        data.mkdir()
        if user.uid is not None and user.gid is not None:
            os.chown(data, user.uid, user.gid)
        servers = [
            Postgres(name, data, self.bin_dir, user, self._password) for name in ("one", "two")
        ]
        self.primary, self.standby = servers
        self._stack.push_async_callback(self._stop_servers)
        await self.primary.create()
        await self.primary.start()
        for statement in LOGINS.format(password=self._password).strip().split(";\n"):
            await self.primary.sql(statement.rstrip(";"), database="postgres")
        settings = {"PAYLEDGER_MIGRATE_DSN": self.owner_dsn}
        await command(["migrate"], settings)
        await self.primary.sql(GRANTS)
        self.key = await command(["keys", "create", "prove"], settings)
        await self.standby.create_from(self.primary)
        await self.standby.start()
        await self.primary.set("synchronous_standby_names", "*")
        await self.primary.wait_streaming()

        self.wire = await self._stack.enter_async_context(
            PostgresWire("127.0.0.1", self.primary.port)
        )
        await self._build_valkey()
        for number in range(1, SERVICES + 1):
            service = Service(f"service-{number}", self.home, self._service_settings())
            self.services.append(service)
            self._stack.push_async_callback(service.stop)
            await service.start()
            wire = await self._stack.enter_async_context(Wire("127.0.0.1", service.port))
            self.service_wires.append(wire)

    async def _build_valkey(self) -> None:
        program = valkey_program()
        if program is None:
            return
        self.valkey = Valkey(self.home, program)
        self._stack.push_async_callback(self.valkey.stop)
        await self.valkey.start()
        self.valkey_wire = await self._stack.enter_async_context(
            Wire("127.0.0.1", self.valkey.port)
        )

    def _service_settings(self) -> dict[str, str]:
        dsn = self.primary.dsn("payledger_service", port=self.wire.port)
        settings = {"PAYLEDGER_DSN": dsn, "PAYLEDGER_LISTEN_DSN": dsn, "PAYLEDGER_POOL_SIZE": "8"}
        if self.valkey_wire is not None:
            settings["PAYLEDGER_REDIS_URL"] = f"redis://127.0.0.1:{self.valkey_wire.port}/0"
        return settings

    def stranger_dsn(self) -> str:
        """The DSN of a login without any right."""
        return self.primary.dsn("stranger")

    async def _stop_servers(self) -> None:
        # A primary waits for its standby until its last WAL is there: so it goes first.
        await self.primary.stop()
        await self.standby.stop()

    async def _tear_down(self) -> None:
        try:
            await self._stack.aclose()
        finally:
            if not self.keep:
                await self.disk.remove()
                shutil.rmtree(self.home, ignore_errors=True)
