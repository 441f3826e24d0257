"""Reads from a real standby: it answers when it has come far enough, and only then."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from support.caching import Heartbeat
from support.clock import Clock
from support.databases import Database
from support.servers import Server, each_server, started_server
from support.standbys import standby_of
from support.waiting import PATIENCE_SECONDS

from service.cache.balances import BalanceCache
from service.cache.counters import Counters
from service.cache.model import AccountKey
from service.cache.trust import Trust
from service.database.bounded import BoundedPool
from service.database.connections import create_pool
from service.embedded import EmbeddedPostgres
from service.ledger.balances import PrimaryBalances, ReplicaBalances

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ACCOUNTS = (
    "select ledger.create_account('world', 'USD', p_min_balance => null),"
    " ledger.create_account('a', 'USD'), ledger.create_account('b', 'USD')"
)


@pytest.fixture(scope="module", params=each_server())
def own_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "container":
        pytest.skip("only an embedded server is copied here")
    with started_server(request.param) as server:
        yield server


@pytest.fixture
def primary(own_server: Server) -> Iterator[Database]:
    primary = Database(own_server, own_server.new_database())
    primary.sql(ACCOUNTS)
    primary.sql("select ledger.take_relay_lease('the test', 'g1')", "payledger_service")
    yield primary
    own_server.postgres.drop_database(primary.name)  # or the next standby copies it, too


@pytest.fixture
def standby(primary: Database) -> Iterator[EmbeddedPostgres]:
    assert isinstance(primary.server.postgres, EmbeddedPostgres)
    with standby_of(primary.server.postgres) as standby:
        yield standby


class Reader:
    """A process that reads from the standby, and what the test says to it as the relay."""

    def __init__(self, primary: Database, cache: BalanceCache, trust: Trust, counters: Counters):
        self.cache = cache
        self.counters = counters
        self.primary = primary
        self.trust = trust
        self.generation = "g1"

    def beat(self) -> int:
        """A heartbeat of now; what a standby has to have replayed to have seen all of it."""
        epoch, lsn = self.primary.sql(
            "select ledger.cache_epoch(), (pg_current_wal_lsn() - '0/0')::bigint"
        ).split("|")
        self.trust.connected(epoch)  # which drops what is kept: each read is a new one
        assert self.trust.heard_heartbeat(Heartbeat(1, epoch, self.generation, int(lsn)))
        return int(lsn)

    async def read(self, code: str, min_version: int | None = None) -> tuple[int, str, bool]:
        """The version, the balance, and whether the standby said so."""
        before = self.counters.reads_replica
        served = await self.cache.read(AccountKey(1, code), min_version=min_version)
        assert served.layer == "db"
        return (
            served.balance.version,
            served.balance.balance,
            self.counters.reads_replica > before,
        )


@asynccontextmanager
async def reading(primary: Database, standby: EmbeddedPostgres) -> AsyncIterator[Reader]:
    replica_dsn = standby.dsn("payledger_service", primary.name)
    clock, counters = Clock(), Counters()
    trust = Trust(counters, clock=clock)
    pools = [
        await create_pool(
            dsn, size=2, application_name="cache", command_seconds=20, primary=dsn != replica_dsn
        )
        for dsn in (primary.dsn(), replica_dsn)
    ]
    cache = BalanceCache(
        PrimaryBalances(BoundedPool(pools[0]), deadline_seconds=20, refuses=trust.refuses),
        trust,
        counters,
        replica=ReplicaBalances(pools[1], seconds=PATIENCE_SECONDS),
        clock=clock,
    )
    try:
        yield Reader(primary, cache, trust, counters)
    finally:
        await cache.close()
        for pool in pools:
            await pool.close()


def pay(where: Database | EmbeddedPostgres, name: str, code: str) -> None:
    sql = (
        "select outcome from ledger.post_payment("
        f"gen_random_uuid()::text, 'world', '{code}', 1, 'USD')"
    )
    if isinstance(where, Database):
        assert where.sql(sql) == "posted"
    else:
        assert where.run_sql(sql, database=name) == "posted"


async def replayed(standby: EmbeddedPostgres, lsn: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    sql = f"select pg_last_wal_replay_lsn() - '0/0' >= {lsn}"
    while standby.run_sql(sql) != "t":
        assert time.monotonic() < deadline, "the standby does not come so far"
        await asyncio.sleep(0.002)  # the poll's pace, not the test's


async def test_a_standby_answers_when_it_has_come_as_far_as_the_heartbeat(
    primary: Database, standby: EmbeddedPostgres
) -> None:
    async with reading(primary, standby) as reader:
        pay(primary, primary.name, "a")
        await replayed(standby, reader.beat())
        assert await reader.read("a") == (1, "1", True)
        assert reader.cache.peek(AccountKey(1, "a")) is not None, "it is kept, as any other"


async def test_one_that_lags_answers_only_a_token_that_it_meets(
    primary: Database, standby: EmbeddedPostgres
) -> None:
    async with reading(primary, standby) as reader:
        pay(primary, primary.name, "a")
        await replayed(standby, reader.beat())
        standby.run_sql("alter system set recovery_min_apply_delay = '1h'")
        standby.run_sql("select pg_reload_conf()")
        await setting(standby, "1h")

        pay(primary, primary.name, "a")
        reader.beat()
        assert await reader.read("a") == (2, "2", False)
        reader.beat()
        assert await reader.read("a", 2) == (2, "2", False)
        reader.beat()
        assert await reader.read("a", 1) == (1, "1", True)
        assert reader.cache.peek(AccountKey(1, "a")) is None, "others may not have that token"

        standby.run_sql("alter system reset recovery_min_apply_delay")
        standby.run_sql("select pg_reload_conf()")
        await replayed(standby, reader.beat())
        assert await reader.read("a") == (2, "2", True)


async def test_one_of_which_the_relay_has_another_generation_does_not_answer(
    primary: Database, standby: EmbeddedPostgres
) -> None:
    async with reading(primary, standby) as reader:
        pay(primary, primary.name, "a")
        await replayed(standby, reader.beat())
        reader.generation = "g2"
        reader.beat()
        assert await reader.read("a") == (1, "1", False)


async def test_a_promoted_one_is_asked_for_nothing_however_far_it_came(
    primary: Database, standby: EmbeddedPostgres
) -> None:
    async with reading(primary, standby) as reader:
        pay(primary, primary.name, "a")
        await replayed(standby, reader.beat())
        assert await reader.read("b") == (0, "0", True)
        standby.run_sql("select pg_promote()")
        pay(standby, primary.name, "a")  # a history of its own
        reader.trust.lsn = 0  # as if nothing had happened on the primary since
        assert await reader.read("a") == (1, "1", False)
        reader.beat()
        assert await reader.read("a", 1) == (1, "1", False)


class PromotedInBetween:
    """A replica's pool, whose replica is promoted between two of its answers."""

    def __init__(self, pool: Any, standby: EmbeddedPostgres) -> None:
        self._pool = pool
        self._standby: EmbeddedPostgres | None = standby

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[PromotedInBetween]:
        async with self._pool.acquire() as self._connection:
            yield self

    async def fetchrow(self, *arguments: Any) -> Any:
        row = await self._connection.fetchrow(*arguments)
        if self._standby is not None:
            await asyncio.to_thread(self._standby.run_sql, "select pg_promote()")
            self._standby = None
        return row


async def test_one_that_is_promoted_while_it_is_asked_does_not_answer(
    primary: Database, standby: EmbeddedPostgres
) -> None:
    async with reading(primary, standby) as reader:
        pay(primary, primary.name, "a")
        await replayed(standby, reader.beat())
        pool = await create_pool(
            standby.dsn("payledger_service", primary.name),
            size=1,
            application_name="replica",
            command_seconds=20,
            primary=False,
        )
        asked = {"epoch": "e", "generation": "g1"}
        try:
            as_it_is = ReplicaBalances(pool, seconds=PATIENCE_SECONDS)
            assert await as_it_is.read("a", 1, **asked) is not None
            promoted: Any = PromotedInBetween(pool, standby)
            balances = ReplicaBalances(promoted, seconds=PATIENCE_SECONDS)
            assert await balances.read("a", 1, **asked) is None
        finally:
            await pool.close()


async def test_one_that_is_away_costs_nothing_but_a_look(
    primary: Database, standby: EmbeddedPostgres
) -> None:
    async with reading(primary, standby) as reader:
        pay(primary, primary.name, "a")
        await replayed(standby, reader.beat())
        await asyncio.to_thread(standby.kill)
        assert await reader.read("a") == (1, "1", False)


async def setting(standby: EmbeddedPostgres, value: str) -> None:
    """Until the startup process, too, must have got it: it is told before any new session is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while standby.run_sql("show recovery_min_apply_delay") != value:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.002)  # the poll's pace, not the test's
