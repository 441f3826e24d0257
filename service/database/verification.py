"""verify_ledger, a slice at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.database.migrations import Connection


@dataclass(frozen=True)
class Breach:
    """One promise found broken."""

    breach: str
    ledger_id: int | None
    subject: str
    detail: dict[str, Any]


async def find_ledger_id(con: Connection, name: str) -> int | None:
    """The number of a ledger; None when there is none of that name."""
    ledger_id: int | None = await con.fetchval("select ledger_id from ledger.find_ledger($1)", name)
    return ledger_id


async def verify(
    con: Connection, ledger_id: int | None, slices: int
) -> AsyncIterator[list[Breach]]:
    """The breaches of each slice, as it is done; `ledger_id` None: all ledgers.

    Each slice has a transaction of its own, so that no snapshot grows old while a big ledger is
    read, and sees one state of the books in it, whatever is posted meanwhile.
    """
    for number in range(1, slices + 1):
        async with con.transaction(isolation="repeatable_read", readonly=True):
            rows = await con.fetch(
                "select breach, ledger_id, subject, detail from ledger.verify_ledger($1, $2, $3)",
                ledger_id,
                number,
                slices,
            )
        yield [
            Breach(row["breach"], row["ledger_id"], row["subject"], json.loads(row["detail"]))
            for row in rows
        ]
