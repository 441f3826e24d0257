"""A database of a test's own, and connections to it that are closed afterwards."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import asyncpg

from support.auditor import breaches

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.servers import Server

    Connection = asyncpg.Connection[asyncpg.Record]


@dataclass
class Database:
    """One database on one server."""

    server: Server
    name: str
    open: list[Connection] = field(default_factory=list)

    def dsn(self, user: str = "payledger_service") -> str:
        return self.server.dsn(user, self.name)

    def sql(self, sql: str, user: str = "postgres") -> str:
        """Unaligned output of psql, by default as the superuser."""
        return self.server.sql(sql, self.name, user)

    async def connect(self, user: str = "payledger_service", **settings: str) -> Connection:
        """A new connection; json and jsonb are text. The fixture closes it."""
        con = await asyncpg.connect(
            self.dsn(user), server_settings=settings, statement_cache_size=0
        )
        self.open.append(con)
        return con

    async def breaches(self, ledger_id: int | None = None) -> list[str]:
        """What is wrong with the books, by our own SQL and by the ledger's; empty when sound."""
        if ledger_id is not None and self.name == self.server.shared_database:
            return await self.server.auditor.breaches(ledger_id)
        async with self.connection("postgres") as con:
            return await breaches(con, ledger_id)

    async def close(self) -> None:
        """Close every connection, also those in a failed transaction or in the middle of one."""
        for con in self.open:
            con.terminate()
        self.open.clear()

    @asynccontextmanager
    async def connection(self, user: str = "payledger_service") -> AsyncIterator[Connection]:
        """For tests that make many."""
        con = await asyncpg.connect(self.dsn(user), statement_cache_size=0)
        try:
            yield con
        finally:
            await con.close()
