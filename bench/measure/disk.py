"""Bytes on disk a payment, in a ledger of its own."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from bench.findings import Findings
from bench.tools.batches import POST, check_posted, make_batch
from bench.tools.lab import ACCOUNTS, Lab

PAYMENTS, BATCH = 50_000, 1000
DATABASE = "bench_disk"
_SIZES = """
select c.relname, pg_total_relation_size(c.oid) as bytes
from pg_class c
join pg_namespace n on n.oid = c.relnamespace
where n.nspname in ('ledger', 'ledger_private')
  and c.relkind = 'r'
"""


def measure(lab: Lab) -> Findings:
    """All tables and indexes, dead row versions included; keys are UUIDv7."""
    lab.server.create_database(DATABASE)
    try:
        lab.install(DATABASE)
        lab.create_accounts("bench", ACCOUNTS, DATABASE)
        return asyncio.run(_measure(lab.admin_dsn(DATABASE)))
    finally:
        lab.server.drop_database(DATABASE)


async def _measure(dsn: str) -> Findings:
    connection = await asyncpg.connect(dsn)
    try:
        before = await _sizes(connection)
        statement = await connection.prepare(POST)
        for _ in range(PAYMENTS // BATCH):
            check_posted(await statement.fetch(make_batch(BATCH).document()), BATCH)
        after = await _sizes(connection)
    finally:
        await connection.close()
    grown = {
        table: round((size - before.get(table, 0)) / PAYMENTS, 1)
        for table, size in after.items()
        if size > before.get(table, 0)
    }
    return Findings({"bytes_per_payment": sum(grown.values())}, {"by_table": grown})


async def _sizes(connection: asyncpg.Connection[Any]) -> dict[str, int]:
    return {row["relname"]: row["bytes"] for row in await connection.fetch(_SIZES)}
