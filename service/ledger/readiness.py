"""Whether the database is there, of this release, and sound, and payments are sent to it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

from service.database.connections import DRIVER_ERRORS
from service.database.migrations import pending

if TYPE_CHECKING:
    from service.database.bounded import BoundedPool, Connection
    from service.ledger.disk import Disk
    from service.ledger.poster import Poster

_SECONDS = 3.0
_LINES = 10


class Check(NamedTuple):
    """One thing looked at. `detail` is for operators, and shown to anybody who asks.

    `needed`: payments cannot be posted without it.
    """

    name: str
    ok: bool
    detail: str
    needed: bool = True


class Readiness:
    """Looks at the database the way a payment would meet it."""

    def __init__(self, pool: BoundedPool, poster: Poster, disk: Disk) -> None:
        self._pool = pool
        self._poster = poster
        self._disk = disk

    async def check(self) -> list[Check]:
        """Never raises, and takes no longer than a few seconds."""
        runs = self._poster.runs
        poster = Check("poster", ok=runs, detail="runs" if runs else "died: see the log")
        return [poster, self._check_disk(), *await self._check_database()]

    def _check_disk(self) -> Check:
        full = self._disk.full
        detail = "PostgreSQL's is full: payments could not be written" if full else "no complaint"
        return Check("disk", ok=not full, detail=detail)

    async def _check_database(self) -> list[Check]:
        try:
            async with asyncio.timeout(_SECONDS):
                connection = await self._pool.acquire()
                try:
                    return await self._look(connection)
                finally:
                    await self._pool.release(connection, timeout=1)
        except DRIVER_ERRORS:
            return [Check("database", ok=False, detail="cannot be reached, or does not answer")]

    async def _look(self, connection: Connection) -> list[Check]:
        await connection.fetchval("select 1")
        return [
            Check("database", ok=True, detail="answers"),
            await self._look_at_migrations(connection),
            await self._look_at_installation(connection),
        ]

    async def _look_at_migrations(self, connection: Connection) -> Check:
        try:
            lines = await pending(connection)
        except asyncpg.PostgresError as exc:
            return Check("migrations", ok=False, detail=f"cannot be read: {exc.sqlstate}")
        return Check("migrations", ok=not lines, detail=_joined(lines) or "current")

    async def _look_at_installation(self, connection: Connection) -> Check:
        try:
            rows = await connection.fetch(
                "select problem, subject from ledger.check_installation()"
            )
        except asyncpg.PostgresError as exc:
            return Check("installation", ok=False, detail=f"cannot be checked: {exc.sqlstate}")
        lines = [f"{row['problem']}: {row['subject']}" for row in rows]
        return Check("installation", ok=not lines, detail=_joined(lines) or "sound")


def _joined(lines: list[str]) -> str:
    more = len(lines) - _LINES
    return "; ".join(lines[:_LINES] + ([f"and {more} more"] if more > 0 else []))
