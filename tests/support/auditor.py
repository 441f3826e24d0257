"""Who looks for breaches in a database that many tests share, from one session that stays open.

A session that is new has the functions of `verify_ledger` to compile and the catalog to read first,
and for the few payments of a test that takes four times as long as the looking.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    from support.databases import Connection


async def breaches(con: Connection, ledger_id: int | None) -> list[str]:
    """What is wrong with the books, by our own SQL and by the ledger's; empty when sound."""
    rows = await con.fetch(
        "select breach, subject from tests.breaches where ledger_id = coalesce($1, ledger_id)",
        ledger_id,
    )
    if await con.fetchval("select to_regproc('ledger.verify_ledger')"):
        rows += await con.fetch(
            "select breach, subject, detail from ledger.verify_ledger($1)", ledger_id
        )
    return [str(tuple(row)) for row in rows]


class Auditor:
    """On a loop of its own: those of the tests end with them."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._con: Connection | None = None

    async def breaches(self, ledger_id: int) -> list[str]:
        """Those of one ledger; to be awaited on any loop."""
        looking = asyncio.run_coroutine_threadsafe(self._look(ledger_id), self._loop)
        return await asyncio.wrap_future(looking)

    def close(self) -> None:
        """Needs the server no more."""
        asyncio.run_coroutine_threadsafe(self._forget(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _look(self, ledger_id: int) -> list[str]:
        if self._con is None or self._con.is_closed():
            self._con = await asyncpg.connect(self._dsn)
        return await breaches(self._con, ledger_id)

    async def _forget(self) -> None:
        if self._con is not None:
            self._con.terminate()
        await asyncio.sleep(0)  # for what it leaves to the loop
