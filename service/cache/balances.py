"""Balances: from this process's memory if it may be believed, else L2, else PostgreSQL.

What is kept is never older than what was heard, and what was not heard of is not kept: each step
below stands for an order of events that gave a wrong answer without it (tests/cache/).
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple, Protocol

from service.cache.flights import Flights, Need
from service.cache.l1 import L1
from service.cache.model import AccountKey, Served, without_epoch
from service.cache.recent import Recent
from service.cache.unknown import Unknown
from service.cache.watch import Watch
from service.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from service.cache.counters import Counters
    from service.cache.l2 import Look
    from service.cache.model import CachedBalance, Change, Layer, Scope
    from service.cache.trust import Trust
    from service.cache.wire import Lease
    from service.ledger.balances import ReplicaRead, VersionedBalance

MOST_ENTRIES = 100_000
SECONDS = 60.0

_SAMPLE_EVERY = 1_024  # a power of two
_SUSPECT = -1  # the era of what is read while nothing can be believed


class Primary(Protocol):
    """service.ledger.balances.PrimaryBalances."""

    async def read(self, code: str, ledger_id: int) -> VersionedBalance | None: ...  # noqa: D102


class Replica(Protocol):
    """service.ledger.balances.ReplicaBalances."""

    async def read(  # noqa: D102
        self, code: str, ledger_id: int, *, epoch: str, generation: str
    ) -> ReplicaRead | None: ...


class SharedLayer(Protocol):
    """service.cache.l2.L2."""

    async def look(self, scope: Scope, key: AccountKey, min_version: int) -> Look: ...  # noqa: D102

    def fill(self, lease: Lease, balance: CachedBalance) -> None: ...  # noqa: D102


class Reading(NamedTuple):
    """The outcome of a flight. `balance` None: there is no such account.

    `era`: the one it began in. `current`: it has all that was heard before it landed. `primary`: it
    is the primary's own word.
    """

    balance: CachedBalance | None
    layer: Layer
    epoch: str
    era: int
    current: bool = True
    primary: bool = False


class BalanceCache:
    """One per process."""

    def __init__(
        self,
        primary: Primary,
        trust: Trust,
        counters: Counters,
        *,
        l2: SharedLayer | None = None,
        replica: Replica | None = None,
        most_entries: int = MOST_ENTRIES,
        clock: Callable[[], float] = time.monotonic,
        sample: Callable[[AccountKey, Served], None] | None = None,
    ) -> None:
        self._clock = clock
        self._counters = counters
        self._flights: Flights[AccountKey, Reading] = Flights(self._fly)
        self._l1 = L1(most_entries, counters)
        self._l2 = l2
        self._primary = primary
        self._recent = Recent()
        self._replica = replica
        self._sample = sample
        self._trust = trust
        self._unknown = Unknown()
        self._watches: dict[AccountKey, Watch] = {}
        trust.on_live(self._l1.drop)
        # What every hit uses, bound once.
        self._find = self._l1.entries.get
        self._touch = self._l1.touch

    def __len__(self) -> int:
        return len(self._l1)

    # -- reading ----------------------------------------------------------------------------------

    def peek(
        self, key: AccountKey, min_version: int | None = None, epoch: str | None = None
    ) -> Served | None:
        """What `read` would answer from this process's memory; None: ask `read`."""
        entry = self._find(key)
        if entry is None:
            return None
        now = self._clock()
        trust = self._trust
        balance = entry.balance
        age = now - entry.since
        if (
            now >= trust.live_until
            or age >= SECONDS
            or (min_version is not None and balance.version < min_version)
            or (epoch is not None and epoch != trust.epoch)
        ):
            return None
        self._touch(key)
        self._counters.hits_l1 += 1
        served = Served(balance, "l1", age, trust.epoch or "")
        if not self._counters.hits_l1 % _SAMPLE_EVERY and self._sample is not None:
            self._sample(key, served)
        return served

    async def read(
        self,
        key: AccountKey,
        *,
        min_version: int | None = None,
        epoch: str | None = None,
        strong: bool = False,
    ) -> Served:
        """Not below `min_version` of the history `epoch`; `strong`: the primary's word, from now.

        Raises Problem: history_changed, unknown_account, version_not_reached, and what a read of
        the database raises.
        """
        if not strong:
            served = self.peek(key, min_version, epoch)
            if served is not None:
                return served
            if min_version is None and self._unknown.holds(key, self._clock()):
                self._counters.hits_unknown += 1
                raise _unknown_account(key)
        self._counters.misses_l1 += 1
        reading = await self._fetch(key, min_version, epoch, strong=strong)

        # Whether the history is another is for the database to say: this process may be the one
        # that has not heard of it.
        if epoch is not None and reading.epoch != epoch:
            raise Problem(
                "history_changed", {"epoch": epoch, "current_epoch": reading.epoch}, read=True
            )
        if reading.balance is None:
            raise _unknown_account(key)
        if min_version is not None and reading.balance.version < min_version:
            raise Problem(
                "version_not_reached",
                {"min_version": min_version, "version": reading.balance.version},
                read=True,
            )
        served = Served(reading.balance, reading.layer, 0.0, reading.epoch)
        if self._sample is not None and not self._counters.misses_l1 % _SAMPLE_EVERY:
            self._sample(key, served)
        return served

    async def _fetch(
        self, key: AccountKey, min_version: int | None, epoch: str | None, *, strong: bool
    ) -> Reading:
        arrived = self._flights.arrive()
        other_history = epoch is not None and epoch != self._trust.epoch
        if not (strong or other_history) and self._trust.is_live():
            older = await self._flights.join_older(key)
            if older is not None and self._serves(older, min_version):
                self._counters.joined += 1
                return older
        need = Need(
            min_version or 0,
            fresh=strong or other_history or not self._trust.is_live(),
            current=not min_version,
        )
        return await self._flights.join_newer(key, need, arrived)

    def _serves(self, reading: Reading, min_version: int | None) -> bool:
        """Whether a flight that began before a reader came will do for him."""
        if not self._trust.is_live() or reading.era != self._trust.era:
            return False
        if reading.balance is None:
            return min_version is None and reading.current
        if min_version:
            return reading.balance.version >= min_version
        return reading.current

    # -- hearing ----------------------------------------------------------------------------------

    def heard(self, ledger_id: int, changes: Iterable[Change], *, epoch: str | None = None) -> None:
        """Changes told by the relay, or made by this process, which knows in which `epoch`.

        Call it for a payment of this process before its answer is sent.
        """
        if epoch is not None and epoch != self._trust.epoch:
            self._trust.refuses(epoch)
            return
        now = self._clock()
        for change in changes:
            key = AccountKey(ledger_id, change.code)
            self._counters.heard += 1
            self._l1.hear(key, change, now)
            self._unknown.forget(key)
            watch = self._watches.get(key)
            if watch is not None:
                watch.hear(change)
            self._recent.hear(key, change.version, self._trust.lsn)

    # -- flights ----------------------------------------------------------------------------------

    async def _fly(self, key: AccountKey, need: Need) -> Reading:
        """From the first layer that serves `need`, and then keep it where it may be kept."""
        trust = self._trust
        live = trust.is_live()
        era = trust.era if live else _SUSPECT
        watch = self._watches[key] = Watch()
        try:
            lease: Lease | None = None
            scope = trust.scope
            if live and not need.fresh and self._l2 and scope is not None and scope.shared:
                look = await self._look(self._l2, scope, key, need)
                if look.balance is not None and self._believes(era):
                    reading = Reading(look.balance, "l2", scope.epoch, era)
                    return self._keep(key, reading, watch)
                lease = look.lease

            reading = await self._read(key, need, era)
            if lease is not None:
                self._share(lease, reading)
            return self._keep(key, reading, watch)
        finally:
            del self._watches[key]

    async def _look(self, l2: SharedLayer, scope: Scope, key: AccountKey, need: Need) -> Look:
        """What L2 has, unless the answer came when it could no longer be believed."""
        least = max(need.min_version, self._recent.least(key))
        look = await l2.look(scope, key, least)
        if look.balance is not None and scope == self._trust.scope:
            self._counters.hits_l2 += 1
            return look
        self._counters.misses_l2 += 1
        return look._replace(balance=None)

    async def _read(self, key: AccountKey, need: Need, era: int) -> Reading:
        """From PostgreSQL; what a replica says must not be older than what was heard."""
        self._counters.reads_db += 1
        scope = self._trust.scope
        if self._replica is not None and not need.fresh and self._believes(era) and scope:
            position = self._trust.lsn
            least = self._recent.least(key)
            found = await self._replica.read(
                key.code, key.ledger_id, epoch=scope.epoch, generation=scope.generation
            )
            if found is not None and found.balance.version >= need.min_version:
                current = found.lsn >= position and found.balance.version >= least
                if current or not need.current:
                    self._counters.reads_replica += 1
                    return Reading(without_epoch(found.balance), "db", scope.epoch, era, current)
        balance = await self._primary.read(key.code, key.ledger_id)
        if balance is None:
            return Reading(None, "db", self._trust.epoch or "", era)
        return Reading(without_epoch(balance), "db", balance.epoch, era, primary=True)

    def _believes(self, era: int) -> bool:
        """Whether this process has heard of everything since `era` was noted."""
        return self._trust.is_live() and era == self._trust.era

    def _keep(self, key: AccountKey, reading: Reading, watch: Watch) -> Reading:
        """Keep it where that is right. The reading, with what was heard while it was under way."""
        if self._trust.refuses(reading.epoch):
            self._counters.refused_epoch += 1
            return reading
        if not self._believes(reading.era):
            self._counters.refused_untrusted += 1
            return reading
        if reading.balance is None:
            if watch.newest is not None:
                return reading._replace(current=False)
            self._unknown.put(key, self._clock())
            return reading

        balance = watch.settle(reading.balance)
        if balance is None:
            self._counters.refused_overtaken += 1
            return reading._replace(current=False)
        if not reading.current:
            self._counters.refused_behind += 1
            return reading
        self._l1.put(key, balance, self._clock())
        return reading._replace(balance=balance)

    def _share(self, lease: Lease, reading: Reading) -> None:
        """Fill L2 with what the primary said.

        Not with a replica's word. It may lack a change that was written to L2, and evicted, before
        the lease was had: nothing would write that change again.
        """
        if (
            self._l2 is not None
            and reading.balance is not None
            and reading.primary
            and reading.epoch == lease.scope.epoch
        ):
            self._l2.fill(lease, reading.balance)

    async def close(self) -> None:
        """End what is in the air."""
        await self._flights.close()


def _unknown_account(key: AccountKey) -> Problem:
    return Problem("unknown_account", {"account": key.code}, read=True)
