"""Calls that are given up, and whose backends go on: they take no more of the server than the pool.

A table that a stranger has locked is trouble that PostgreSQL does not end by itself.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support.waiting import until, wait_until_true

from loadgen.proxy.wire import Wire
from service.database.bounded import BoundedPool
from service.database.connections import create_pool
from service.errors import Problem
from service.ledger.carrier import Carrier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection, Database

SIZE = 3
NAME = "abandoned calls"
BLOCKED = "select count(*) from ledger.list_accounts()"


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[BoundedPool]:
    made = await create_pool(dsn, size=SIZE, application_name=NAME, command_seconds=60)
    async with BoundedPool(made) as bounded:
        yield bounded
    made.terminate()


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[BoundedPool]:
    async with opened(database.dsn()) as pool:
        yield pool


@pytest.fixture
async def observer(database: Database) -> Connection:
    return await database.connect("postgres")


BACKENDS = """
select count(*) from pg_stat_activity
where application_name = $1 and wait_event_type = 'Lock'
"""


async def backends(observer: Connection) -> int:
    """Those of the pool, at work on a call."""
    return int(await observer.fetchval(BACKENDS, NAME))


@asynccontextmanager
async def locked_accounts(database: Database) -> AsyncIterator[Connection]:
    stranger = await database.connect("postgres")
    await stranger.execute("begin; lock table ledger.accounts in access exclusive mode")
    yield stranger
    await stranger.execute("rollback")


async def given_up(carrier: Carrier) -> str:
    with pytest.raises(Problem) as caught:
        await carrier.fetch(BLOCKED)
    return caught.value.code


async def until_abandoned(pool: BoundedPool, count: int) -> None:
    await until(lambda: pool.abandoned == count, f"{count} abandoned")


@pytest.mark.parametrize("writes", [False, True])
async def test_have_no_more_backends_than_the_pool_has_connections(
    pool: BoundedPool, database: Database, observer: Connection, *, writes: bool
) -> None:
    carrier = Carrier(pool, deadline_seconds=0.4, writes=writes)
    async with locked_accounts(database):
        codes = await asyncio.gather(*[given_up(carrier) for _ in range(SIZE)])
        assert set(codes) == {"outcome_unknown" if writes else "not_attempted"}
        assert (pool.abandoned, await backends(observer)) == (SIZE, SIZE)

        # Nobody else is sent, and is told so.
        codes = await asyncio.gather(*[given_up(carrier) for _ in range(2 * SIZE)])
        assert set(codes) == {"not_attempted"}
        assert (pool.abandoned, await backends(observer)) == (SIZE, SIZE)
    await until_abandoned(pool, 0)
    patient = Carrier(pool, deadline_seconds=20, writes=writes)
    await asyncio.gather(*[patient.fetch("select pg_sleep(0.01)") for _ in range(4 * SIZE)])
    assert (pool.idle, pool.busy) == (SIZE, 0)


async def test_of_which_some_end_make_room_for_as_many(
    pool: BoundedPool, database: Database, observer: Connection
) -> None:
    carrier = Carrier(pool, deadline_seconds=0.4, writes=False)
    async with locked_accounts(database):
        await asyncio.gather(*[given_up(carrier) for _ in range(SIZE)])
        assert await observer.fetchval(
            "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
            " where application_name = $1 and state = 'active' limit 1",
            NAME,
        )
        await until_abandoned(pool, SIZE - 1)
        patient = Carrier(pool, deadline_seconds=20, writes=False)
        assert await patient.fetch("select 1") == [(1,)]
        assert (pool.abandoned, await backends(observer)) == (SIZE - 1, SIZE - 1)
    await until_abandoned(pool, 0)


async def test_whose_connection_was_lost_are_looked_for_as_well(
    database: Database, observer: Connection
) -> None:
    """The server may know nothing of that."""
    server = urlsplit(database.dsn())
    assert server.hostname is not None
    assert server.port is not None
    async with Wire(server.hostname, server.port) as wire:
        dsn = server._replace(netloc=f"{server.username}:{server.password}@127.0.0.1:{wire.port}")
        async with opened(dsn.geturl()) as pool, locked_accounts(database):
            carrier = Carrier(pool, deadline_seconds=20, writes=True)
            carrier.give_up()  # as it is: no second attempt
            call = asyncio.create_task(given_up(carrier))
            await wait_until_true(observer, f"select ({BACKENDS}) = 1", NAME)
            await wire.reset()
            assert await call == "outcome_unknown"
            assert (pool.abandoned, await backends(observer)) == (1, 1)


async def test_are_forgotten_when_the_pool_is_closed(database: Database) -> None:
    before = asyncio.all_tasks()
    async with locked_accounts(database), opened(database.dsn()) as pool:
        await given_up(Carrier(pool, deadline_seconds=0.4, writes=False))
        assert asyncio.all_tasks() - before
    assert asyncio.all_tasks() == before
