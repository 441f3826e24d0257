"""Faults by SQL: what other people's sessions do to the database."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from loadgen.faults.fault import Scene
from loadgen.rig.programs import send, start

LOCK = "select 1 from ledger.accounts where code = $1 for no key update"
MOST_STRANGERS = 200


@asynccontextmanager
async def session(dsn: str) -> AsyncIterator[Any]:
    """Open a session that is dropped, not ended in order, afterwards."""
    connection = await asyncpg.connect(dsn, timeout=5, statement_cache_size=0)
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def reverse_locks(scene: Scene) -> AsyncIterator[None]:
    """Two sessions lock the same accounts in opposite orders, while rings are paid."""
    one, other = scene.accounts[1], scene.accounts[2]
    dsn = scene.rig.primary.dsn()

    async def lock(first: str, second: str, met: asyncio.Barrier) -> None:
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            async with session(dsn) as connection:
                await connection.execute("begin")
                await connection.fetch(LOCK, first)
                await met.wait()
                await connection.fetch(LOCK, second)

    async def again_and_again() -> None:
        while True:
            met = asyncio.Barrier(2)
            await asyncio.gather(lock(one, other, met), lock(other, one, met))
            await scene.burst("rings")

    task = asyncio.create_task(again_and_again())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def row_held(scene: Scene) -> AsyncIterator[None]:
    """A stranger holds the row of the busiest account: payments of others go on."""
    async with session(scene.rig.primary.dsn()) as connection:
        await connection.execute("begin")
        await connection.fetch(LOCK, scene.accounts[0])
        yield


@asynccontextmanager
async def idle_transaction(scene: Scene) -> AsyncIterator[None]:
    """One session holds a transaction id, another a snapshot: nothing can be cleaned up."""
    dsn = scene.rig.primary.dsn()
    async with session(dsn) as holder, session(dsn) as reader:
        await holder.execute("begin")
        await holder.fetch("select pg_current_xact_id()")
        await reader.execute("begin isolation level repeatable read")
        await reader.fetch("select count(*) from ledger.ledgers")
        yield


@asynccontextmanager
async def no_connections_left(scene: Scene) -> AsyncIterator[None]:
    """Strangers take every connection that there is, and the service's are ended."""
    primary = scene.rig.primary
    async with AsyncExitStack() as stack:
        await primary.sql(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity"
            " where usename = 'payledger_service'"
        )
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            for _ in range(MOST_STRANGERS):
                dsn = scene.rig.stranger_dsn()
                await stack.enter_async_context(session(dsn))
        yield


@asynccontextmanager
async def forged_notices(scene: Scene) -> AsyncIterator[None]:
    """A login without rights sends notices on the relay's channel, and takes advisory locks."""
    rig = scene.rig
    forged = (
        '{"term": 999999, "accounts": [["main", "x", 9999, "1"]], "hmac": "00"}',
        "not json",
        "",
        "{}",
    )
    channels = ["payledger"]
    if await rig.primary.sql("select to_regprocedure('ledger.notification_secret()') is not null"):
        # Its name is as good as secret; suppose that it became known.
        channels.append(await rig.primary.sql("select channel from ledger.notification_secret()"))
    async with session(rig.stranger_dsn()) as connection:
        for channel in channels:
            for payload in forged:
                await connection.execute("select pg_notify($1, $2)", channel, payload)
        await connection.execute(
            "select count(pg_try_advisory_lock(number)) from generate_series(-500, 500) as number"
        )
        yield


@asynccontextmanager
async def dump_and_partitions(scene: Scene) -> AsyncIterator[None]:
    """Partitions are maintained while pg_dump runs, and while its locks on all tables are held."""
    rig = scene.rig
    dsn = rig.primary.dsn()
    async with session(dsn) as dump:
        # What pg_dump holds for as long as it runs: a small ledger is dumped in no time.
        await dump.execute("begin isolation level repeatable read")
        tables = await dump.fetch(
            "select oid::regclass::text from pg_class"
            " where relkind in ('r', 'p') and relnamespace = 'ledger'::regnamespace"
        )
        for table in tables:
            await dump.execute(f"lock table {table[0]} in access share mode")
        tasks = [
            asyncio.create_task(_maintain(dsn)),
            asyncio.create_task(_dump(rig.bin_dir / "pg_dump", dsn, rig.home / "dump.log")),
        ]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _dump(program: Path, dsn: str, log: Path) -> None:
    while True:
        dumping = await start(
            [program, f"--dbname={dsn}", "--format=custom", "--compress=0", "--file=/dev/null"],
            log,
            env={"LD_LIBRARY_PATH": str(program.parents[1] / "lib")},
        )
        try:
            await dumping.wait()
        finally:
            if dumping.returncode is None:
                send(dumping.pid, signal.SIGTERM)
                await dumping.wait()


async def _maintain(dsn: str) -> None:
    while True:
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            async with session(dsn) as connection:
                await connection.fetch("select * from ledger.maintain_partitions()")
        await asyncio.sleep(0.1)
