"""The ledger's own opinion, by SQL: verify_ledger, and the balance at every version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from loadgen.check.ledger import Ledger, open_ledger
from loadgen.checker import Breach

SLICES = 16


class CannotVerify(Exception):
    """The database did not let verify_ledger run to its end."""


async def verify_ledger(dsn: str) -> list[Breach]:
    """Give every breach that ledger.verify_ledger finds, in any ledger.

    A slice at a time, so that no snapshot grows old while a big ledger is read.
    """
    breaches = []
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            for number in range(1, SLICES + 1):
                for row in await connection.fetch(
                    "select breach, ledger_id, subject, detail"
                    " from ledger.verify_ledger(null, $1, $2)",
                    number,
                    SLICES,
                ):
                    breaches.append(
                        Breach(
                            f"verify_ledger: {row['breach']}",
                            f"ledger {row['ledger_id']}, {row['subject']}",
                            evidence={"detail": row["detail"]},
                        )
                    )
        finally:
            await connection.close()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise CannotVerify(f"verify_ledger could not be run: {error}") from error
    return breaches


@asynccontextmanager
async def balances_by_version(
    dsn: str, ledger: str, prefix: str
) -> AsyncIterator[AsyncIterator[tuple[str, int, tuple[int, int]]]]:
    """Stream what each entry of these accounts left: code, version, balance and what is held.

    Raises loadgen.check.ledger.LedgerUnread.
    """
    async with open_ledger(dsn, ledger) as snapshot:
        yield _balances(snapshot, prefix)


async def _balances(
    snapshot: Ledger, prefix: str
) -> AsyncIterator[tuple[str, int, tuple[int, int]]]:
    accounts = await snapshot.accounts(prefix)
    async for entry in snapshot.entries_by_account(prefix):
        code = accounts[entry.account_id].code
        yield code, entry.version, (entry.balance_after, entry.held_after)
