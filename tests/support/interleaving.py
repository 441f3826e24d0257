"""A whole system in one event loop, in which every step that takes time waits for the test.

A ledger, the layer that processes share, the relay and the workers' notices are played here; the
caches are the real ones. What is served is compared with the ledger's history.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from service.cache.balances import BalanceCache
from service.cache.counters import Counters
from service.cache.l2 import Look
from service.cache.model import AccountKey, CachedBalance, Change, Scope
from service.cache.trust import Trust
from service.cache.wire import Lease
from service.errors import Problem
from service.ledger.balances import VersionedBalance
from support.clock import Clock

if TYPE_CHECKING:
    from collections.abc import Coroutine

LEDGER = 1
CODES = ("a", "b", "c")
MOST_AGE = 2.0


class Heartbeat(NamedTuple):
    term: int
    epoch: str
    generation: str
    lsn: int
    lag_seconds: float


class Message(NamedTuple):
    """A notice, with a heartbeat or not."""

    term: int
    epoch: str
    generation: str
    read_at: float
    lsn: int | None
    changes: list[Change]


class Steps:
    """Whoever waits here goes on when he is chosen."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def step(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def __len__(self) -> int:
        self._waiting = [future for future in self._waiting if not future.done()]
        return len(self._waiting)

    def let_go(self, choice: int) -> None:
        if len(self):
            self._waiting.pop(choice % len(self._waiting)).set_result(None)


class Books:
    """The ledger's histories: what each account held at each version, and since when."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.epoch = "e1"
        self.histories = {"e1": {code: [(0, 0)] for code in CODES}}
        self.commits: list[tuple[str, int, float]] = []
        self.lsn = 1

    def post(self, code: str, amount: int, held: int) -> Change:
        versions = self.histories[self.epoch][code]
        balance, was_held = versions[-1]
        versions.append((balance + amount, was_held + held))
        self.commits.append((code, len(versions) - 1, self._clock.now))
        self.lsn += 1
        return self.change(code)

    def change(self, code: str) -> Change:
        versions = self.histories[self.epoch][code]
        balance, held = versions[-1]
        return Change(code, len(versions) - 1, "USD", str(balance), str(held))

    def restore(self, lost: int) -> None:
        """Another history begins, with what a backup had: all but the last few commits."""
        kept = self.commits[: max(0, len(self.commits) - lost)]
        old = self.histories[self.epoch]
        self.epoch = f"e{len(self.histories) + 1}"
        self.histories[self.epoch] = {
            code: versions[: 1 + sum(1 for at, *_ in kept if at == code)]
            for code, versions in old.items()
        }
        self.commits = kept
        self.lsn = 1 + len(kept)

    def committed(self, code: str, at: float) -> int:
        """The version there was at a time."""
        return max((v for c, v, when in self.commits if c == code and when <= at), default=0)


class PlayedPrimary:
    def __init__(self, books: Books, steps: Steps) -> None:
        self._books = books
        self._steps = steps

    async def read(self, code: str, ledger_id: int) -> VersionedBalance:
        await self._steps.step()
        change = self._books.change(code)
        epoch = self._books.epoch
        await self._steps.step()
        assert change.balance is not None
        assert change.held is not None
        return VersionedBalance(code, "USD", change.version, change.balance, change.held, epoch)


class PlayedServer:
    """What L2's scripts do, each as a whole."""

    def __init__(self) -> None:
        self.run = 1
        self.values: dict[Any, tuple[int, CachedBalance]] = {}
        self.leases: dict[Any, bytes] = {}
        self.saved: dict[Any, tuple[int, CachedBalance]] = {}
        self._tokens = 0

    def look(self, at: Any, key: AccountKey, scope: Scope, run: int, least: int) -> Look:
        there = self.values.get(at)
        if there is not None and there[0] >= least:
            return Look(there[1], None)
        if at in self.leases:
            return Look(None, None)
        self._tokens += 1
        self.leases[at] = b"%d" % self._tokens
        return Look(None, Lease(scope, str(run), key, self.leases[at]))

    def fill(self, at: Any, token: bytes, balance: CachedBalance) -> None:
        if self.leases.get(at) != token:
            return
        self.set(at, balance)

    def set(self, at: Any, balance: CachedBalance) -> None:
        self.leases.pop(at, None)
        there = self.values.get(at)
        if there is None or there[0] < balance.version:
            self.values[at] = (balance.version, balance)

    def restart(self, *, empty: bool) -> None:
        self.run += 1
        self.leases = {}
        self.values = {} if empty else dict(self.saved)


class PlayedL2:
    """A process's connection to the server: ends with it."""

    def __init__(self, server: PlayedServer, steps: Steps, system: System) -> None:
        self._server = server
        self._steps = steps
        self._system = system

    async def look(self, scope: Scope, key: AccountKey, min_version: int) -> Look:
        run = self._server.run
        await self._steps.step()
        if self._server.run != run:
            return Look(None, None)
        look = self._server.look((scope, run, key), key, scope, run, min_version)
        await self._steps.step()
        return look

    def fill(self, lease: Lease, balance: CachedBalance) -> None:
        self._system.start(self._fill(lease, balance))

    async def _fill(self, lease: Lease, balance: CachedBalance) -> None:
        run = self._server.run
        await self._steps.step()
        if self._server.run == run and lease.run_id == str(run):
            self._server.fill((lease.scope, run, lease.key), lease.token, balance)

    async def write(self, epoch: str, generation: str, changes: list[Change]) -> bool:
        """False: it took too long, and may be done yet."""
        run = self._server.run
        scope = Scope(epoch, generation)
        await self._steps.step()
        if self._server.run != run:
            return False
        self.write_at_once(scope, changes)
        return True

    def write_at_once(self, scope: Scope, changes: list[Change]) -> None:
        for change in changes:
            assert change.balance is not None
            assert change.held is not None
            self._server.set(
                (scope, self._server.run, AccountKey(LEDGER, change.code)),
                CachedBalance(change.code, "USD", change.version, change.balance, change.held),
            )


class Worker:
    """A process: its cache, and the messages on their way to it."""

    def __init__(self, system: System) -> None:
        self.counters = Counters()
        self.trust = Trust(self.counters, clock=system.clock)
        self.cache = BalanceCache(
            PlayedPrimary(system.books, system.steps),
            self.trust,
            self.counters,
            l2=PlayedL2(system.server, system.steps, system),
            most_entries=2,
            clock=system.clock,
        )
        self.channel: deque[Message] = deque()
        self.listens = False


class System:
    """All of it. Each public method is something that may happen at any time."""

    def __init__(self, *, faithful: bool) -> None:
        self.clock = Clock()
        self.steps = Steps()
        self.books = Books(self.clock)
        self.server = PlayedServer()
        self.faithful = faithful  # what is sent arrives, once and in order, until a connection ends
        self.workers = [Worker(self) for _ in range(2)]
        self.wrong: list[str] = []
        self.reads = 0
        self.layers: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tokens: dict[str, tuple[int, str]] = {}
        self._polling: asyncio.Task[None] | None = None
        self._term = 0
        self._generations = 0
        self.new_leader(0, 0)

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Until everybody waits for the test."""
        for _ in range(12):
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Let everything come to its end."""
        while len(self.steps):
            self.steps.let_go(0)
            await self.settle()
        for worker in self.workers:
            await worker.cache.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what may happen --------------------------------------------------------------------------

    def step(self, one: int, _: int) -> None:
        self.steps.let_go(one)

    def time(self, one: int, _: int) -> None:
        self.clock.pass_((one + 1) * 0.05)

    def post_by_worker(self, one: int, two: int) -> None:
        """What a payment answers does not say what is held: as it was."""
        change = self.books.post(CODES[two % 3], one + 1, 0)
        self._token(change)
        worker = self.workers[one % 2]
        worker.cache.heard(
            LEDGER, [msgspec.structs.replace(change, held=None)], epoch=self.books.epoch
        )

    def post_by_psql(self, one: int, two: int) -> None:
        self._token(self.books.post(CODES[two % 3], one + 1, one % 2))

    def read(self, one: int, two: int) -> None:
        self.start(self._read(self.workers[one % 2], CODES[two % 3], None, strong=False))

    def read_strongly(self, one: int, two: int) -> None:
        self.start(self._read(self.workers[one % 2], CODES[two % 3], None, strong=True))

    def read_with_token(self, one: int, two: int) -> None:
        code = CODES[two % 3]
        token = self._tokens.get(code)
        self.start(self._read(self.workers[one % 2], code, token, strong=False))

    def poll(self, _: int, __: int) -> None:
        if self._polling is None or self._polling.done():
            self._polling = self.start(self._poll())

    def all_is_well(self, one: int, two: int) -> None:
        """For a while the relay's rounds go as they should, whatever else is under way.

        Or all but the end of the last one, which may be left: what it told is not yet in L2.
        """
        rounds = one % 12 + 1
        for number in range(1, rounds + 1):
            self.clock.pass_(0.25)
            if self._polling is None or self._polling.done():
                self._round(all_of_it=number < rounds or two % 2 == 0)
            for worker in range(len(self.workers)):
                self.deliver_all(worker, 0)
                if self.workers[worker].trust.must_reconnect or not self.workers[worker].listens:
                    self.listen(worker, 0)

    def deliver(self, one: int, _: int) -> None:
        worker = self.workers[one % 2]
        if worker.channel:
            self._hear(worker, worker.channel.popleft())

    def deliver_all(self, one: int, _: int) -> None:
        worker = self.workers[one % 2]
        while worker.channel:
            self._hear(worker, worker.channel.popleft())

    def deliver_strangely(self, one: int, two: int) -> None:
        """Dropped, doubled or out of order."""
        channel = self.workers[one % 2].channel
        if self.faithful or not channel:
            return
        match two % 3:
            case 0:
                channel.popleft()
            case 1:
                channel.append(channel[0])
            case _:
                channel.rotate(1)

    def listen(self, one: int, _: int) -> None:
        """A listener's connection is made, or made anew."""
        self._listen(self.workers[one % 2])

    def lose_listener(self, one: int, _: int) -> None:
        worker = self.workers[one % 2]
        worker.listens = False
        worker.channel.clear()
        worker.trust.lost()

    def new_leader(self, _: int, __: int) -> None:
        """The one before is left where it was; what it has under way is done, or not."""
        if self._polling is not None:
            self._polling.cancel()
        self._term += 1
        self._draw_generation()
        self._told = len(self.books.commits)

    def restart_worker(self, one: int, _: int) -> None:
        self.workers[one % 2] = Worker(self)

    def evict(self, one: int, two: int) -> None:
        there: dict[Any, Any] = self.server.leases if two % 2 else self.server.values
        if there:
            del there[list(there)[one % len(there)]]

    def save(self, _: int, __: int) -> None:
        self.server.saved = dict(self.server.values)

    def restart_redis(self, one: int, _: int) -> None:
        self.server.restart(empty=one % 2 == 0)

    def restore(self, one: int, _: int) -> None:
        """Every connection to the database ends with the server."""
        self.books.restore(one % 4)
        for worker in self.workers:
            worker.listens = False
            worker.channel.clear()
            worker.trust.lost()
        self._term = 0
        self.new_leader(0, 0)

    # -- how it happens ---------------------------------------------------------------------------

    def _token(self, change: Change) -> None:
        self._tokens[change.code] = (change.version, self.books.epoch)

    def _draw_generation(self) -> None:
        self._generations += 1
        self._generation = f"g{self._generations}"

    def _listen(self, worker: Worker) -> None:
        worker.trust.lost()
        worker.channel.clear()
        worker.listens = True
        worker.trust.connected(self.books.epoch)

    async def _poll(self) -> None:
        """Once round the relay's loop."""
        term, epoch = self._term, self.books.epoch
        read_at, lsn = self.clock.now, self.books.lsn
        told, self._told = self._told, len(self.books.commits)
        newest = {code: self.books.change(code) for code, *_ in self.books.commits[told:]}
        changes = list(newest.values())
        await self.steps.step()
        if (term, epoch) != (self._term, self.books.epoch):
            return  # the database refuses to send for an old leader
        self._send(Message(term, epoch, self._generation, read_at, lsn, changes))
        await self._write(epoch, changes)

    async def _write(self, epoch: str, changes: list[Change]) -> None:
        if changes:
            l2 = PlayedL2(self.server, self.steps, self)
            writing = self.start_write(l2.write(epoch, self._generation, changes))
            await self.steps.step()
            if not (writing.done() and writing.result()):
                self._draw_generation()

    def _round(self, *, all_of_it: bool) -> None:
        """The same, when nothing comes between."""
        told, self._told = self._told, len(self.books.commits)
        changes = [
            self.books.change(code) for code in {c: 0 for c, *_ in self.books.commits[told:]}
        ]
        self._send(
            Message(
                self._term,
                self.books.epoch,
                self._generation,
                self.clock.now,
                self.books.lsn,
                changes,
            )
        )
        if all_of_it:
            PlayedL2(self.server, self.steps, self).write_at_once(
                Scope(self.books.epoch, self._generation), changes
            )
        else:
            self._polling = self.start(self._write(self.books.epoch, changes))

    def _send(self, message: Message) -> None:
        for worker in self.workers:
            if worker.listens:
                worker.channel.append(message)

    def start_write(self, work: Coroutine[Any, Any, bool]) -> asyncio.Task[bool]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)  # type: ignore[arg-type]
        task.add_done_callback(self._tasks.discard)  # type: ignore[arg-type]
        return task

    def _hear(self, worker: Worker, message: Message) -> None:
        trust = worker.trust
        if trust.heard_notice(message.term, message.epoch, message.generation):
            worker.cache.heard(LEDGER, message.changes)
        if message.lsn is not None:
            lag = self.clock.now - message.read_at
            trust.heard_heartbeat(
                Heartbeat(message.term, message.epoch, message.generation, message.lsn, lag)
            )
        if trust.must_reconnect:
            self._listen(worker)

    async def _read(
        self, worker: Worker, code: str, token: tuple[int, str] | None, *, strong: bool
    ) -> None:
        began = self.clock.now
        epoch = self.books.epoch
        if strong:
            least = self.books.committed(code, began)
        else:
            least = self.books.committed(code, began - MOST_AGE) if self.faithful else 0
        version, of = token or (None, None)
        try:
            served = await worker.cache.read(
                AccountKey(LEDGER, code), min_version=version, epoch=of, strong=strong
            )
        except Problem as problem:
            if problem.code == "history_changed" and of != self.books.epoch:
                return
            if problem.code == "history_changed" and epoch != self.books.epoch:
                return
            self.wrong.append(f"{code}: {problem.code} for {token}")
            return
        self.reads += 1
        self.layers.add(served.layer)
        balance = served.balance
        there = self.books.histories[served.epoch][code]
        if balance.version >= len(there):
            self.wrong.append(f"{served}: there is no such version")
        elif (balance.balance, balance.held) != tuple(map(str, there[balance.version])):
            self.wrong.append(f"{served}: the ledger has {there[balance.version]}")
        if version is not None and (balance.version < version or served.epoch != of):
            self.wrong.append(f"{served}: below the token {token}")
        if (
            served.epoch == self.books.epoch == epoch
            and version is None
            and balance.version < least
        ):
            self.wrong.append(f"{served}: there was {least}")
