"""The relay's connections, one for its loop, one for what may take long: a method a function."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import asyncpg
import msgspec

from service.database.connections import CONNECT_SECONDS, DRIVER_ERRORS, DatabaseError, said
from service.errors import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Connection = asyncpg.Connection[asyncpg.Record]

# What the loop asks takes milliseconds. Something that takes longer than the lease is lost anyway.
LOOP_SECONDS = 2.0
CHORE_SECONDS = 60.0

_VITALS = """
select
  pg_notification_queue_usage(),
  greatest(
    (
      select extract(epoch from max(clock_timestamp() - xact_start))::float8
      from pg_stat_activity
      where datname = current_database()
        and pid <> pg_backend_pid()
    ),
    (
      select extract(epoch from max(clock_timestamp() - prepared))::float8
      from pg_prepared_xacts
      where database = current_database()
    ),
    0
  ),
  pg_snapshot_xmin(pg_current_snapshot())::text::bigint,
  pg_snapshot_xmax(pg_current_snapshot())::text::bigint
"""


class Lease(NamedTuple):
    """Who is the relay."""

    taken: bool  # by this call
    term: int
    holder: str


class Told(NamedTuple):
    """A page of what changed."""

    leading: bool  # False: nothing was told, and the rest means nothing
    cursor: str
    has_more: bool
    payments: int
    changes: str  # JSON: [ledger_id, [code, version, currency, balance, held]] of each
    messages: int


class Vitals(NamedTuple):
    """What could delay something."""

    queue_usage: float  # of the notification queue, 0 to 1
    oldest_transaction_seconds: float  # of those that this login may see
    oldest_running_xid: int
    next_xid: int


class RelaySession:
    """The loop's connection. Every method raises DatabaseError, or Problem for an error of ours."""

    def __init__(self, connection: Connection, epoch: str) -> None:
        self._connection = connection
        self.epoch = epoch

    async def take_relay_lease(self, holder: str, generation: str) -> Lease:
        """Become the relay, or learn who is."""
        row = await self._fetchrow(
            "select taken, term, holder from ledger.take_relay_lease($1, $2)", holder, generation
        )
        return Lease(*row)

    async def check_feed(self) -> None:
        """Whether there is something to tell from: raises what is wrong with it."""
        await self._fetchrow("select from ledger.read_changes(null::ledger.changes_cursor)")

    async def tell_changes(
        self, term: int, generation: str, cursor: str | None, limit: int, *, heartbeat: bool
    ) -> Told:
        """Tell what became visible since the cursor; without one, begin at the end.

        Of nothing only with `heartbeat`.
        """
        row = await self._fetchrow(
            "select is_leading, next_cursor::text, has_more, payment_count, changes, message_count"
            " from ledger.tell_changes($1, $2, $3::text::ledger.changes_cursor, $4, $5, $6)",
            term,
            generation,
            cursor,
            heartbeat,
            self.epoch,
            limit,
        )
        leading, next_cursor, has_more, payments, changes, messages = row
        return Told(leading, next_cursor, has_more, payments, changes, messages)

    async def release_relay_lease(self, term: int) -> None:
        """Let another one take it at once."""
        await self._fetchrow("select ledger.release_relay_lease($1)", term)

    async def _fetchrow(self, statement: str, *arguments: object) -> asyncpg.Record:
        row: asyncpg.Record = await _carried(self._connection.fetchrow(statement, *arguments))
        return row


class ChoreSession:
    """The other connection: what it does may take long, and nothing waits for it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def maintain_partitions(self) -> list[tuple[str, str]]:
        """What was done: partition and action."""
        rows = await _carried(
            self._connection.fetch("select partition, action from ledger.maintain_partitions()")
        )
        return [(row["partition"], row["action"]) for row in rows]

    async def purge_idempotency_keys(self, limit: int) -> int:
        """How many expired keys were deleted; 0: there are no more."""
        purged: int = await _carried(
            self._connection.fetchval("select ledger.purge_idempotency_keys($1)", limit)
        )
        return purged

    async def read_vitals(self) -> Vitals:
        """Of transactions it sees its own login's, and with pg_read_all_stats everybody's."""
        row = await _carried(self._connection.fetchrow(_VITALS))
        return Vitals(*row)


@asynccontextmanager
async def relay_session(dsn: str) -> AsyncIterator[RelaySession]:
    """The loop's. DatabaseError, or Problem: feed_on_standby."""
    # NOTIFY holds a lock of the whole cluster through the flush of its commit. Nothing that is told
    # has to outlive a crash, so it doesn't wait for one; a lease that is taken does.
    async with _connected(
        dsn, "payledger relay", LOOP_SECONDS, {"synchronous_commit": "off"}
    ) as connection:
        epoch = await _carried(connection.fetchval("select ledger.cache_epoch()"))
        if epoch is None:
            raise Problem("feed_on_standby")
        yield RelaySession(connection, epoch)


@asynccontextmanager
async def chore_session(dsn: str) -> AsyncIterator[ChoreSession]:
    """The other one."""
    async with _connected(dsn, "payledger relay chores", CHORE_SECONDS, {}) as connection:
        yield ChoreSession(connection)


@asynccontextmanager
async def _connected(
    dsn: str, name: str, seconds: float, settings: dict[str, str]
) -> AsyncIterator[Connection]:
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=seconds,
            max_cached_statement_lifetime=0,
            server_settings={"application_name": name, **settings},
        )
    except DRIVER_ERRORS as exc:
        raise DatabaseError(f"cannot connect: {said(exc)}") from exc
    try:
        yield connection
    finally:
        connection.terminate()  # whatever it may still be doing is of no more use


async def _carried(call: Any) -> Any:
    """The call's result, its errors in our words."""
    try:
        return await call
    except DRIVER_ERRORS as exc:
        if (getattr(exc, "sqlstate", None) or "").startswith("LG"):
            values = msgspec.json.decode(getattr(exc, "detail", None) or "{}", type=dict[str, Any])
            raise Problem(values.pop("code", "internal_error"), values) from exc
        raise DatabaseError(said(exc)) from exc
