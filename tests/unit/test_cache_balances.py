"""Where a balance comes from, and what is kept of it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from support.clock import Clock

from service.cache.auditor import Auditor
from service.cache.balances import BalanceCache
from service.cache.counters import Counters
from service.cache.l1 import L1
from service.cache.l2 import Look
from service.cache.model import AccountKey, CachedBalance, Change, Scope, Served, advanced
from service.cache.recent import ANY, Recent
from service.cache.trust import Trust
from service.cache.wire import Lease
from service.errors import Problem
from service.ledger.balances import ReplicaRead, VersionedBalance

A = AccountKey(1, "a")


class Heartbeat(NamedTuple):
    term: int = 1
    epoch: str = "e"
    generation: str = "g"
    lsn: int = 100
    lag_seconds: float = 0.0


class Database:
    """A primary and its replica, and who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.version: int | None = 5
        self.replica: ReplicaRead | None = None

    async def read(self, code: str, ledger_id: int) -> VersionedBalance | None:
        self.asked.append("primary")
        return None if self.version is None else balance(self.version)


class Replica:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(
        self, code: str, ledger_id: int, *, epoch: str, generation: str
    ) -> ReplicaRead | None:
        self._database.asked.append("replica")
        return self._database.replica


class Layer:
    """An L2 that has nothing and gives everybody a lease."""

    def __init__(self) -> None:
        self.asked_for: list[int] = []  # versions not below
        self.filled: list[CachedBalance] = []

    async def look(self, scope: Scope, key: AccountKey, min_version: int) -> Look:
        self.asked_for.append(min_version)
        return Look(None, Lease(scope, "run", key, b"token"))

    def fill(self, lease: Lease, balance: CachedBalance) -> None:
        self.filled.append(balance)


def balance(version: int) -> VersionedBalance:
    return VersionedBalance("a", "USD", version, str(version), "0", "e")


class Caching:
    def __init__(
        self, *, replica: bool = False, most_entries: int = 10, l2: Layer | None = None
    ) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.database = Database()
        self.trust = Trust(self.counters, clock=self.clock)
        self.trust.connected("e")
        self.trust.heard_heartbeat(Heartbeat())
        self.cache = BalanceCache(
            self.database,
            self.trust,
            self.counters,
            replica=Replica(self.database) if replica else None,
            most_entries=most_entries,
            clock=self.clock,
            l2=l2,
        )

    def beat(self, lsn: int = 100) -> None:
        self.trust.heard_heartbeat(Heartbeat(lsn=lsn))

    async def version(self, min_version: int | None = None) -> tuple[str, int]:
        served = await self.cache.read(A, min_version=min_version)
        return served.layer, served.balance.version


async def test_the_second_read_is_answered_from_memory_with_its_age() -> None:
    at = Caching()
    assert at.cache.peek(A) is None
    assert await at.version() == ("db", 5)
    at.clock.pass_(0.5)
    served = at.cache.peek(A, 5, "e")
    assert served == Served(CachedBalance("a", "USD", 5, "5", "0"), "l1", 0.5, "e")
    assert at.database.asked == ["primary"]


@pytest.mark.parametrize(
    ("min_version", "epoch"), [(6, None), (5, "another epoch")], ids=["newer", "another epoch"]
)
async def test_memory_does_not_answer_what_it_does_not_know(
    min_version: int, epoch: str | None
) -> None:
    at = Caching()
    await at.version()
    assert at.cache.peek(A, min_version, epoch) is None


async def test_a_token_of_another_history_is_told_so_by_the_database() -> None:
    at = Caching()
    await at.version()
    with pytest.raises(Problem) as raised:
        await at.cache.read(A, min_version=5, epoch="before")
    assert raised.value.code == "history_changed"
    assert at.database.asked == ["primary", "primary"]


async def test_a_version_that_the_primary_has_not_reached_is_refused() -> None:
    at = Caching()
    with pytest.raises(Problem) as raised:
        await at.version(6)
    assert raised.value.code == "version_not_reached"
    assert raised.value.values == {"min_version": 6, "version": 5}


async def test_an_entry_goes_after_its_time_even_if_nothing_is_heard() -> None:
    at = Caching()
    await at.version()
    for _ in range(119):
        at.clock.pass_(0.5)
        at.beat()
    assert await at.version() == ("l1", 5)
    at.clock.pass_(0.5)
    assert await at.version() == ("db", 5)


async def test_unknown_accounts_are_remembered_for_a_second_unless_a_token_asks() -> None:
    at = Caching()
    at.database.version = None
    for _ in range(3):
        with pytest.raises(Problem) as raised:
            await at.version()
        assert (raised.value.code, raised.value.read) == ("unknown_account", True)
    assert len(at.database.asked) == 1
    at.database.version = 0
    assert await at.version(0) == ("db", 0)


async def test_an_account_that_is_heard_of_is_unknown_no_more() -> None:
    at = Caching()
    at.database.version = None
    with pytest.raises(Problem):
        await at.version()
    at.database.version = 0
    at.cache.heard(1, [Change("a", 0, "USD", None, None)])
    assert await at.version() == ("db", 0)


async def test_hearing_inserts_nothing_and_the_oldest_unused_entry_goes_first() -> None:
    at = Caching(most_entries=2)
    at.cache.heard(1, [Change("a", 9, "USD", "9", "0")])
    assert len(at.cache) == 0
    for code in ("a", "b"):
        await at.cache.read(AccountKey(1, code))
    assert at.cache.peek(A) is not None
    await at.cache.read(AccountKey(1, "c"))
    assert at.cache.peek(A) is not None
    assert at.cache.peek(AccountKey(1, "b")) is None
    assert at.counters.evicted_l1 == 1


def test_what_is_read_late_does_not_replace_what_is_newer() -> None:
    l1 = L1(10, Counters())
    newer = CachedBalance("a", "USD", 6, "60", "0")
    l1.put(A, newer, 1.0)
    l1.put(A, CachedBalance("a", "USD", 5, "50", "0"), 2.0)
    entry = l1.entries[A]
    assert (entry.balance, entry.since) == (newer, 1.0)
    l1.put(A, newer, 2.0)
    assert entry.since == 2.0


def test_held_is_carried_over_only_from_the_version_just_below() -> None:
    known = CachedBalance("a", "USD", 5, "50", "7")
    assert advanced(known, Change("a", 6, None, "60", None)) == (
        CachedBalance("a", "USD", 6, "60", "7")
    )
    assert advanced(known, Change("a", 7, None, "60", None)) is None
    assert advanced(known, Change("a", 7, None, "60", "1")) == (
        CachedBalance("a", "USD", 7, "60", "1")
    )
    assert advanced(known, Change("a", 6, None, None, None)) is None


# -- replicas ------------------------------------------------------------------------------------


async def test_a_replica_that_has_come_far_enough_answers() -> None:
    at = Caching(replica=True)
    at.database.replica = ReplicaRead(balance(5), 100)
    assert await at.version() == ("db", 5)
    assert at.database.asked == ["replica"]
    assert await at.version() == ("l1", 5)


async def test_one_that_has_not_come_far_enough_does_not() -> None:
    at = Caching(replica=True)
    at.database.replica = ReplicaRead(balance(4), 99)
    assert await at.version() == ("db", 5)
    assert at.database.asked == ["replica", "primary"]


async def test_one_that_is_behind_but_meets_the_token_answers_and_is_not_kept() -> None:
    at = Caching(replica=True)
    at.database.replica = ReplicaRead(balance(4), 99)
    assert await at.version(4) == ("db", 4)
    assert at.database.asked == ["replica"]
    assert at.cache.peek(A) is None
    assert await at.version(5) == ("db", 5)


async def test_one_that_lacks_what_was_heard_since_the_heartbeat_does_not_answer() -> None:
    at = Caching(replica=True)
    at.cache.heard(1, [Change("a", 5, "USD", "5", "0")])
    at.database.replica = ReplicaRead(balance(4), 100)
    assert await at.version() == ("db", 5)
    assert at.database.asked == ["replica", "primary"]


async def test_l2_is_asked_for_what_was_told_lately() -> None:
    """The relay writes it there after it has told, and before it tells what comes next."""
    layer = Layer()
    at = Caching(l2=layer)
    at.cache.heard(1, [Change("a", 4, "USD", "4", "0")])
    for lsn in (101, 102):
        at.beat(lsn)
        await at.version()
        with pytest.raises(Problem):
            await at.version(6)
        at.cache._l1.drop()
        at.cache.heard(1, [Change("b", lsn, "USD", "4", "0")])
    await at.version()
    assert layer.asked_for == [4, 6, 4, 6, 0]


def test_what_was_heard_lately_does_not_take_all_memory() -> None:
    """More than it may keep is of any account, until two heartbeats later."""
    recent = Recent(most=2)
    for code in "abc":
        recent.hear(AccountKey(1, code), 7, 100)
    assert recent.least(AccountKey(1, "elsewhere")) == ANY
    recent.hear(AccountKey(1, "d"), 8, 101)
    assert recent.least(AccountKey(1, "d")) == ANY
    recent.hear(AccountKey(1, "e"), 9, 102)
    assert [recent.least(AccountKey(1, code)) for code in "cde"] == [0, 8, 9]


async def test_what_a_replica_says_is_not_shared() -> None:
    """It may lack what was written to L2, and evicted, before: nothing would write that again."""
    layer = Layer()
    at = Caching(replica=True, l2=layer)
    at.database.replica = ReplicaRead(balance(5), 100)
    await at.version()
    assert (at.database.asked, layer.filled) == (["replica"], [])
    at.database.replica = None
    at.trust.lost()
    at.trust.connected("e")
    at.beat()
    await at.version()
    assert at.database.asked == ["replica", "replica", "primary"]
    assert [filled.version for filled in layer.filled] == [5]


async def test_none_is_asked_for_a_strong_read_or_without_trust() -> None:
    at = Caching(replica=True)
    at.database.replica = ReplicaRead(balance(5), 100)
    await at.cache.read(A, strong=True)
    at.trust.lost()
    await at.version()
    assert at.database.asked == ["primary", "primary"]


# -- the auditor ---------------------------------------------------------------------------------


class Entries:
    async def read_version(
        self, code: str, version: int, ledger_id: int
    ) -> VersionedBalance | None:
        return balance(version) if version <= 5 else None


async def test_the_auditor_finds_what_the_ledger_does_not_have() -> None:
    counters = Counters()
    auditor = Auditor(Entries(), counters)
    right = CachedBalance("a", "USD", 5, "5", "0")
    for served, epoch in (
        (right, "e"),
        (msgspec.structs.replace(right, version=0, balance="0"), "e"),
        (msgspec.structs.replace(right, balance="6"), "e"),
        (msgspec.structs.replace(right, version=6), "e"),
        (msgspec.structs.replace(right, version=0, balance="1"), "e"),
        (msgspec.structs.replace(right, balance="6"), "of another history: nothing can be said"),
    ):
        auditor.sample(A, Served(served, "l1", 0.0, epoch))
    assert await auditor.audit() == 3
    assert (counters.audited, counters.audit_mismatches) == (5, 3)


async def test_an_l2_that_the_relay_does_not_write_is_not_asked_and_not_filled() -> None:
    l2 = Layer()
    at = Caching(l2=l2)
    at.trust.heard_heartbeat(Heartbeat(generation="-g"))
    assert await at.version() == ("db", 5)
    assert l2.filled == []
    at.trust.heard_heartbeat(Heartbeat(generation="g2"))
    await at.cache.read(AccountKey(1, "b"))
    assert [one.version for one in l2.filled] == [5]
