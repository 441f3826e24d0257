"""The ledger as SQL shows it: one snapshot, streamed in the orders in which the checker reads.

Plain SELECTs on the tables: none of the ledger's own functions is asked.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg

from loadgen.check.canonical import PaymentRow

PREFETCH = 5_000


class LedgerUnread(Exception):
    """The database did not let itself be read, so nothing can be said."""


class KeyRow(NamedTuple):
    """A key with what it stands for."""

    key: str
    payment: str | None
    code: str | None
    """Of a stored refusal."""


class EntryRow(NamedTuple):
    """An entry."""

    payment: str
    account_id: int
    version: int
    posting_no: int
    amount: int
    held: int
    balance_after: int
    held_after: int


class AccountRow(NamedTuple):
    """An account of the run."""

    account_id: int
    code: str
    currency: str
    balance: int
    version: int


class Limit(NamedTuple):
    """From an account's version on, this was its minimum."""

    account_id: int
    from_version: int
    min_balance: int | None


class Ledger:
    """One ledger in one snapshot. Amounts come as text: they do not fit any binary integer."""

    def __init__(self, connection: Any, name: str) -> None:
        self._connection = connection
        self._name = name
        self._id = 0

    async def find(self) -> None:
        """Look the ledger up by its name."""
        found = await self._connection.fetchval(
            "select ledger_id from ledger.ledgers where name = $1", self._name
        )
        if found is None:
            raise LedgerUnread(f"there is no ledger {self._name}")
        self._id = found

    async def accounts(self, prefix: str) -> dict[int, AccountRow]:
        """Give the accounts whose codes begin so, by id."""
        rows = self._rows(
            "select account_id, code, currency::text, balance::text, version from ledger.accounts"
            " where ledger_id = $1 and starts_with(code, $2)",
            prefix,
        )
        return {
            row[0]: AccountRow(row[0], row[1], row[2], int(row[3]), row[4]) async for row in rows
        }

    async def other_accounts(self, prefix: str) -> dict[int, tuple[str, str]]:
        """Give code and currency of the accounts that are not the run's but share a payment."""
        rows = self._rows(
            "select account_id, code, currency::text from ledger.accounts"
            " where ledger_id = $1 and not starts_with(code, $2)",
            prefix,
        )
        return {row[0]: (row[1], row[2]) async for row in rows}

    async def limits(self, prefix: str) -> dict[int, list[Limit]]:
        """Give the minimums of these accounts, in the order in which they came into force."""
        limits: dict[int, list[Limit]] = {}
        async for row in self._rows(
            "select c.account_id, c.from_version, c.min_balance::text"
            " from ledger.account_changes c"
            " join ledger.accounts a using (ledger_id, account_id)"
            " where c.ledger_id = $1 and starts_with(a.code, $2)"
            " order by c.account_id, c.from_version, c.change_id",
            prefix,
        ):
            minimum = None if row[2] is None else int(row[2])
            limits.setdefault(row[0], []).append(Limit(row[0], row[1], minimum))
        return limits

    async def keys(self) -> AsyncIterator[KeyRow]:
        """Give the keys, in the order of their bytes."""
        async for row in self._rows(
            "select key::text, payment_id::text, outcome ->> 'code' from ledger.idempotency_keys"
            ' where ledger_id = $1 order by key::text collate "C"'
        ):
            yield KeyRow(*row)

    async def payments(self) -> AsyncIterator[PaymentRow]:
        """Give the payments, by id."""
        async for row in self._rows(
            "select payment_id::text, description, metadata::text,"
            " (extract(epoch from effective_at) * 1000000)::bigint,"
            " (extract(epoch from posted_at) * 1000000)::bigint"
            " from ledger.payments where ledger_id = $1 order by payment_id"
        ):
            yield PaymentRow(*row)

    async def entries_by_payment(self) -> AsyncIterator[EntryRow]:
        """Give the entries, by payment; of a posting the debit first."""
        async for row in self._entries("", "payment_id, posting_no, amount"):
            yield row

    async def entries_by_account(self, prefix: str) -> AsyncIterator[EntryRow]:
        """Give the entries of the accounts whose codes begin so, by account and version."""
        async for row in self._entries(prefix, "account_id, version"):
            yield row

    async def locks_left(self) -> list[str]:
        """Give what other sessions still hold open although nobody is working."""
        rows = await self._connection.fetch(
            "select format('%s: %s, %s, transaction since %s', pid, application_name, state,"
            " xact_start) from pg_stat_activity where pid <> pg_backend_pid()"
            " and backend_type = 'client backend' and datname = current_database()"
            " and xact_start < clock_timestamp() - interval '5 s'"
            " union all"
            " select format('prepared transaction %s', gid) from pg_prepared_xacts"
            " where database = current_database()"
        )
        return [row[0] for row in rows]

    async def _entries(self, prefix: str, order: str) -> AsyncIterator[EntryRow]:
        query = (
            "select e.payment_id::text, e.account_id, e.version, e.posting_no, e.amount::text,"
            " e.held::text, e.balance_after::text, e.held_after::text"
            " from ledger.ledger_entries e"
            " join ledger.accounts a using (ledger_id, account_id)"
            " where e.ledger_id = $1 and starts_with(a.code, $2) order by "
        )
        async for row in self._rows(query + order, prefix):
            yield EntryRow(*row[:4], *map(int, row[4:]))

    async def _rows(self, query: str, *arguments: object) -> AsyncIterator[tuple[Any, ...]]:
        async for record in self._connection.cursor(query, self._id, *arguments, prefetch=PREFETCH):
            yield tuple(record)


@asynccontextmanager
async def open_ledger(dsn: str, name: str) -> AsyncIterator[Ledger]:
    """Open a snapshot of a ledger; raises LedgerUnread."""
    try:
        connection = await asyncpg.connect(
            dsn,
            timeout=30,
            server_settings={
                "application_name": "loadgen check",
                "jit": "off",
                "cursor_tuple_fraction": "1.0",  # every row is read: plan for that
                "statement_timeout": "0",
                "idle_in_transaction_session_timeout": "0",
            },
        )
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                ledger = Ledger(connection, name)
                await ledger.find()
                yield ledger
        finally:
            connection.terminate()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise LedgerUnread(f"the ledger could not be read: {error}") from error
