"""Workers with caches on one ledger, the relay's part played by the test, and what is wrong.

The seams are the objects that a cache is made with: what stands between it and PostgreSQL, or L2,
can be told to hold whoever comes by.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from service.cache.balances import BalanceCache
from service.cache.counters import Counters
from service.cache.l2 import L2
from service.cache.model import AccountKey, Change
from service.cache.trust import Trust
from service.database.bounded import BoundedPool
from service.database.connections import create_pool
from service.ledger.balances import PrimaryBalances
from support.clock import Clock
from support.payments import start
from support.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from service.cache.l2 import Look
    from service.cache.model import CachedBalance, Scope, Served
    from service.cache.wire import Lease
    from service.ledger.balances import VersionedBalance
    from support.payments import Ledger

MOST_AGE = 2.0  # seconds, of what is read without a token


class Heartbeat(NamedTuple):
    term: int
    epoch: str
    generation: str
    lsn: int
    lag_seconds: float = 0.0


class Barrier:
    """A place where the next one to come by is held, once the test has closed it."""

    def __init__(self) -> None:
        self._closed = False
        self._here = asyncio.Event()
        self._open = asyncio.Event()

    def close(self) -> None:
        self._closed = True
        self._here.clear()
        self._open.clear()

    async def pass_(self) -> None:
        if self._closed:
            self._closed = False  # one is held, those after him pass
            self._here.set()
            await self._open.wait()

    async def reached(self) -> None:
        """Until somebody is held here."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._here.wait()

    def open(self) -> None:
        self._open.set()


class SeenPrimary:
    """The primary, with a place after the read and before its answer arrives."""

    def __init__(self, primary: PrimaryBalances) -> None:
        self._primary = primary
        self.answer = Barrier()

    async def read(self, code: str, ledger_id: int) -> VersionedBalance | None:
        balance = await self._primary.read(code, ledger_id)
        await self.answer.pass_()
        return balance


class SeenL2(L2):
    """The shared layer, with a place after the look, and fills that the test may hold back."""

    def __init__(self, url: str, counters: Counters, clock: Clock) -> None:
        # Slowness is for the tests that are about it: this machine may be busy.
        super().__init__(url, counters, clock=clock, timeout_seconds=PATIENCE_SECONDS)
        self.answer = Barrier()
        self.held: list[tuple[Lease, CachedBalance]] | None = None

    async def look(self, scope: Scope, key: AccountKey, min_version: int) -> Look:
        look = await super().look(scope, key, min_version)
        await self.answer.pass_()
        return look

    def hold_fills(self) -> None:
        self.held = []

    def fill(self, lease: Lease, balance: CachedBalance) -> None:
        if self.held is not None:
            self.held.append((lease, balance))
        else:
            super().fill(lease, balance)

    async def let_fills_go(self) -> None:
        held, self.held = self.held or [], None
        for lease, balance in held:
            super().fill(lease, balance)
        await self.drained()


@dataclass
class Worker:
    """One process's cache."""

    cache: BalanceCache
    counters: Counters
    l2: SeenL2
    primary: SeenPrimary
    trust: Trust
    ledger_id: int

    def key(self, code: str) -> AccountKey:
        return AccountKey(self.ledger_id, code)

    async def read(
        self, code: str, min_version: int | None = None, *, strong: bool = False
    ) -> Served:
        epoch = None if min_version is None else self.trust.epoch
        return await self.cache.read(
            self.key(code), min_version=min_version, epoch=epoch, strong=strong
        )

    async def settle(self) -> None:
        """Until L2 has what was read."""
        await self.l2.drained()

    async def close(self) -> None:
        await self.cache.close()
        await self.l2.close()


@dataclass
class World:
    """A ledger, what was posted in it and when, and those who read it."""

    books: Ledger
    url: str
    clock: Clock = field(default_factory=Clock)
    committed: list[tuple[str, int, float]] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    # The relay's part.
    term: int = 1
    generation: str = "g1"
    lsn: int = 1
    _payments: int = 0

    # -- those who read ---------------------------------------------------------------------------

    @asynccontextmanager
    async def worker(self, *, live: bool = True) -> AsyncIterator[Worker]:
        pool = await create_pool(
            self.books.database.dsn(), size=4, application_name="cache", command_seconds=20
        )
        counters = Counters()
        trust = Trust(counters, clock=self.clock)
        l2 = SeenL2(self.url, counters, self.clock)
        assert await l2.start() is None
        primary = SeenPrimary(
            PrimaryBalances(BoundedPool(pool), deadline_seconds=20, refuses=trust.refuses)
        )
        cache = BalanceCache(primary, trust, counters, l2=l2, clock=self.clock)
        worker = Worker(cache, counters, l2, primary, trust, self.books.id)
        self.workers.append(worker)
        try:
            if live:
                await self.connect(worker)
            yield worker
        finally:
            await worker.close()
            await pool.close()

    async def check(
        self, served: Served, *, min_version: int | None = None, strong: bool = False
    ) -> Served:
        """Note what is wrong with an answer that came now."""
        balance = served.balance
        entry = await self.books.observer.fetchrow(
            "select balance_after::text, held_after::text from ledger.list_entries($1, $2, 1, $3)",
            balance.code,
            balance.version + 1,
            self.books.id,
        )
        there = ("0", "0") if entry is None else tuple(entry)
        if there != (balance.balance, balance.held):
            self.wrong.append(f"{balance} is not what the ledger has, {there}")
        if min_version is not None and balance.version < min_version:
            self.wrong.append(f"{balance} is below {min_version}")
        if min_version is None:
            since = self.clock.now if strong else self.clock.now - MOST_AGE
            least = max(
                (
                    version
                    for code, version, at in self.committed
                    if code == balance.code and at <= since
                ),
                default=0,
            )
            if balance.version < least:
                self.wrong.append(f"{balance} from {served.layer} is too old: there was {least}")
        return served

    # -- those who post ---------------------------------------------------------------------------

    async def pay(self, code: str, amount: int = 1) -> list[Change]:
        """A payment from `world`, by anybody; what it made of the account, told to nobody yet."""
        self._payments += 1
        result = await self.books.pay(
            self.books.observer, f"k{self._payments}", "world", code, amount
        )
        row = await self.books.observer.fetchrow(
            "select code, version, currency, balance::text, held::text"
            " from ledger.get_balance($1, $2)",
            code,
            self.books.id,
        )
        assert row is not None
        assert row["version"] == result.versions[code]
        self.committed.append((code, row["version"], self.clock.now))
        return [Change(*row)]

    # -- the relay --------------------------------------------------------------------------------

    async def epoch(self) -> str:
        return str(await self.books.observer.fetchval("select ledger.cache_epoch()"))

    async def write(self, changes: Iterable[Change]) -> None:
        """To L2, in the present generation, through the first worker's connection."""
        await self.write_in(self.generation, changes)

    async def write_in(self, generation: str, changes: Iterable[Change]) -> None:
        rows = [(self.books.id, change) for change in changes]
        assert await self.workers[0].l2.write(await self.epoch(), generation, rows)

    async def connect(self, worker: Worker) -> None:
        """Its listener connects, and hears the first heartbeat."""
        worker.trust.connected(await self.epoch())
        await self.beat(worker)

    async def beat(self, *workers: Worker) -> None:
        """A heartbeat to those, or to all."""
        self.lsn += 1
        heartbeat = Heartbeat(self.term, await self.epoch(), self.generation, self.lsn)
        for worker in workers or self.workers:
            worker.trust.heard_heartbeat(heartbeat)

    async def notify(self, changes: Iterable[Change], *workers: Worker) -> None:
        """A notice to those, or to all."""
        changes = list(changes)
        for worker in workers or self.workers:
            if worker.trust.heard_notice(self.term, await self.epoch(), self.generation):
                worker.cache.heard(self.books.id, changes)

    async def relay(self, changes: Iterable[Change]) -> None:
        """All of it: notices, heartbeat, L2."""
        changes = list(changes)
        await self.notify(changes)
        await self.beat()
        await self.write(changes)

    async def pass_(self, seconds: float, *silent: Worker) -> None:
        """Time, with heartbeats to all but the `silent` ones, and payments elsewhere."""
        while seconds > 0:
            step = min(seconds, 0.25)
            self.clock.pass_(step)
            seconds -= step
            for worker in self.workers:
                if worker not in silent:
                    elsewhere = Change("elsewhere", self.lsn, "USD", "0", "0")
                    worker.cache.heard(self.books.id, [elsewhere])
                    await self.beat(worker)


def begin(worker: Worker, code: str, **how: object) -> asyncio.Task[Served]:
    """A read that goes on while the test does something else."""
    return start(worker.read(code, **how))  # type: ignore[arg-type]
