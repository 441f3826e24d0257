"""The ledger's own opinion: verify_ledger, by SQL."""

from __future__ import annotations

import asyncpg

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
