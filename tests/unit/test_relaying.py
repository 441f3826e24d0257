"""What the relay's connections make of the driver's errors."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from service.database.connections import DatabaseError
from service.database.relaying import ChoreSession


class Connection:
    """Of which every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def fetchval(self, *_: object) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionResetError("reset"),
        asyncpg.InterfaceError("closed"),
        asyncpg.AdminShutdownError("going down"),
        # The server said between two calls that it ends the connection.
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_lost_connection_is_no_defect(error: Exception) -> None:
    connection: Any = Connection(error)
    with pytest.raises(DatabaseError, match=f"^{error}$"):
        await ChoreSession(connection).purge_idempotency_keys(1)
