"""One connection for a command, with errors a person can act on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from service.database.connections import CONNECT_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.database.migrations import Connection


class DatabaseError(Exception):
    """What the database said, or why it could not be asked."""


@asynccontextmanager
async def session(dsn: str, application_name: str) -> AsyncIterator[Connection]:
    """A connection; whatever goes wrong on it becomes a DatabaseError."""
    try:
        con = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": application_name}
        )
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        raise DatabaseError(f"cannot connect: {exc or type(exc).__name__}") from exc
    try:
        yield con
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        raise DatabaseError(str(exc)) from exc
    finally:
        await con.close(timeout=5)
