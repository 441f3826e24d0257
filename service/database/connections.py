"""Connection pools, and which of their errors a retry can cure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from service.database.migrations import Connection

    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection  # generic for type checkers only

# Serialization failure, deadlock, lock not available; the server stops, crashed, or starts.
# Class 08 (connection lost or refused) besides.
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03"})
CONNECTION_LOST = "08"

CONNECT_SECONDS = 5.0


class DatabaseError(Exception):
    """What the database said, or why it could not be asked, for whoever typed the command."""


# What the driver raises: the server's errors, its own, the network's (timeouts among them); and
# what it raises when the server ended the connection between two calls, see is_infrastructure.
DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
)


# cache_epoch is not there, or not for this login: the database is not installed, or is older.
_NO_EPOCH = ("42883", "3F000", "42501")


class LedgerConnection(_Connection):
    """A connection that knows which history it leads to: see epoch_of."""

    epoch = ""


def epoch_of(connection: object) -> str:
    """The history a pool's connection leads to. Empty: unknown, which is nobody's epoch.

    A server's history goes on for as long as it runs, and a connection ends with it: so it is read
    once, when the connection is made.
    """
    return str(getattr(connection, "epoch", ""))


async def create_pool(
    dsn: str, *, size: int, application_name: str, command_seconds: float, primary: bool = True
) -> asyncpg.Pool[asyncpg.Record]:
    """A pool of up to `size` connections, one of them made now: DatabaseError if it cannot be.

    json and jsonb arrive as text, byte for byte. No statement may leave state in its session
    (SET, LISTEN, advisory session locks, temporary tables): none is cleared between two uses,
    which saves a round trip each. An open transaction is rolled back all the same.

    `primary` False: it leads to a replica, which has no epoch of its own to tell. None is made now:
    nothing rests on a replica.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=0,
            init_size=1 if primary else 0,
            max_size=size,
            timeout=CONNECT_SECONDS,
            command_timeout=command_seconds,
            connection_class=LedgerConnection,
            init=_learn_epoch if primary else None,
            max_cached_statement_lifetime=0,  # a handful of statements, each worth keeping
            reset=_keep_session,
            server_settings={"application_name": application_name},
        )
    except DRIVER_ERRORS as exc:
        raise DatabaseError(f"cannot connect: {said(exc)}") from exc


def said(exc: BaseException) -> str:
    """The text of an error, or its name where it has none, as timeouts."""
    return str(exc) or type(exc).__name__


def is_infrastructure(exc: BaseException, connection: Connection | None = None) -> bool:
    """Whether the same call with the same keys may succeed later, no matter how far this one got.

    `connection` is the one it failed on: asyncpg reports a connection that was closed before a
    call and a misuse of its API with one exception, and only the connection tells them apart.
    """
    match exc:
        case asyncpg.PostgresError():
            # By SQLSTATE only: what asyncpg has no class for, our own LGnnn among it, comes as
            # UnknownPostgresError, which is a FatalPostgresError but no lost connection.
            sqlstate = exc.sqlstate or ""
            return sqlstate in RETRYABLE_SQLSTATES or sqlstate.startswith(CONNECTION_LOST)
        case asyncpg.InterfaceError():
            return connection is not None and _is_closed(connection)
        case asyncpg.InternalClientError():
            # The server said between two calls that it ends this connection. asyncpg refuses to
            # use it from then on, and finds it closed only when the line's end arrives.
            return True
        case asyncpg.TargetServerAttributeNotMatched():
            return True  # target_session_attrs: in a failover no server is the primary
        case _:
            return isinstance(exc, OSError)  # timeouts are OSErrors


def _is_closed(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True  # a pool takes back a connection that it finds closed


async def _learn_epoch(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """On every new connection: it may lead to a server that was restored or promoted since."""
    try:
        epoch = await connection.fetchval("select ledger.cache_epoch()")
    except asyncpg.PostgresError as exc:
        if exc.sqlstate not in _NO_EPOCH:
            raise
    else:
        setattr(connection, "epoch", epoch or "")  # noqa: B010 -- see LedgerConnection


async def _keep_session(_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """asyncpg's own part of a reset, the rollback, happens before this."""
