"""One connection for a command, with errors that a person can act on."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg

from service.database.connections import CONNECT_SECONDS, DRIVER_ERRORS, DatabaseError, said

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.database.migrations import Connection


@asynccontextmanager
async def session(dsn: str, application_name: str) -> AsyncIterator[Connection]:
    """A connection; whatever goes wrong on it becomes a DatabaseError that names the login."""
    login = urlsplit(dsn).username or "the default login"
    try:
        con = await asyncpg.connect(
            dsn, timeout=CONNECT_SECONDS, server_settings={"application_name": application_name}
        )
    except DRIVER_ERRORS as exc:
        raise DatabaseError(f"cannot connect as {login}: {said(exc)}") from exc
    try:
        yield con
    except DRIVER_ERRORS as exc:
        raise DatabaseError(f"as {login}: {said(exc)}") from exc
    finally:
        await con.close(timeout=5)
