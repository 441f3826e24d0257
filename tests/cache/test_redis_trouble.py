"""Whatever becomes of Redis, reads are right, and nothing waits for it for long."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from support.clock import Clock
from support.valkey import Valkey

from service.cache.counters import Counters
from service.cache.l2 import L2
from service.cache.model import AccountKey, CachedBalance, Change, Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.caching import World

    from service.cache.l2 import Look
    from service.cache.l2_server import Commands

SCOPE = Scope("epoch", "generation")
KEY = AccountKey(1, "a")
CHANGE = (1, Change("a", 1, "USD", "5", "0"))


class Alone:
    """An L2 and what it counts, without a database."""

    def __init__(self, url: str, timeout_seconds: float = 20.0) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.l2 = L2(url, self.counters, clock=self.clock, timeout_seconds=timeout_seconds)

    async def write(self) -> bool:
        return await self.l2.write(*SCOPE, [CHANGE])

    async def is_missed(self) -> bool:
        return await self.l2.look(SCOPE, KEY, 0) == (None, None)


@pytest.fixture
async def alone(own_valkey: Valkey) -> AsyncIterator[Alone]:
    alone = Alone(own_valkey.url)
    assert await alone.l2.start() is None
    yield alone
    own_valkey.go_on()
    await alone.l2.close()


async def test_a_balance_is_written_once_and_found_by_all(alone: Alone) -> None:
    assert await alone.write()
    look = await alone.l2.look(SCOPE, KEY, 1)
    assert look.balance == CachedBalance("a", "USD", 1, "5", "0")
    assert look.lease is None


async def test_who_finds_too_old_a_version_gets_the_lease_and_nobody_else_does(
    alone: Alone,
) -> None:
    await alone.write()
    look = await alone.l2.look(SCOPE, KEY, 2)
    assert look.balance is None
    assert look.lease is not None
    assert await alone.is_missed() is False
    assert await alone.l2.look(SCOPE, KEY, 2) == (None, None)


async def test_what_is_asked_or_filled_at_the_same_time_is_one_command(
    alone: Alone, own_valkey: Valkey
) -> None:
    async def looks() -> list[Look]:
        keys = [AccountKey(1, code) for code in "abc"]
        return await asyncio.gather(*(alone.l2.look(SCOPE, key, 0) for key in keys))

    await alone.write()  # that is a
    found, *missed = await looks()
    assert found.balance == CachedBalance("a", "USD", 1, "5", "0")
    for look in missed:
        assert look.lease is not None
        code = look.lease.key.code
        alone.l2.fill(look.lease, CachedBalance(code, "USD", 7, code, "0"))
    await alone.l2.drained()
    balances = [look.balance for look in await looks()]
    assert [balance and balance.balance for balance in balances] == ["5", "b", "c"]
    assert alone.counters.l2_written == 3
    called = own_valkey.ask("INFO", "commandstats")
    assert b"cmdstat_evalsha:calls=4," in called, "a write, two rounds of looks, a fill"


async def test_a_fill_whose_lease_is_gone_costs_the_others_nothing(alone: Alone) -> None:
    leases = []
    for code in "ab":
        lease = (await alone.l2.look(SCOPE, AccountKey(1, code), 0)).lease
        assert lease is not None
        leases.append(lease)
    await alone.write()  # takes the lease of a
    for lease in leases:
        alone.l2.fill(lease, CachedBalance(lease.key.code, "USD", 0, "0", "0"))
    await alone.l2.drained()
    assert alone.counters.refused_lease == 1
    balances = [(await alone.l2.look(SCOPE, AccountKey(1, code), 0)).balance for code in "ab"]
    assert [balance and balance.version for balance in balances] == [1, 0]


async def test_a_value_that_is_none_of_ours_is_never_believed(
    alone: Alone, own_valkey: Valkey
) -> None:
    await alone.write()
    (at,) = own_valkey.keys("*:b:1:a")
    own_valkey.ask("SET", at, b"9" * 19 + b" not\n ours")
    together = [AccountKey(1, "a"), AccountKey(1, "b")]
    looks = await asyncio.gather(*(alone.l2.look(SCOPE, key, 0) for key in together))
    assert looks == [(None, None), (None, None)]


async def test_versions_beyond_what_lua_can_count_are_told_apart(alone: Alone) -> None:
    large = 2**53
    for version, balance in ((large, "1"), (large + 1, "2"), (large, "3")):
        assert await alone.l2.write(*SCOPE, [(1, Change("a", version, "USD", balance, "0"))])
    look = await alone.l2.look(SCOPE, KEY, large + 1)
    assert look.balance == CachedBalance("a", "USD", large + 1, "2", "0")


async def test_everything_that_is_written_has_a_time_to_live(
    alone: Alone, own_valkey: Valkey
) -> None:
    await alone.l2.write(*SCOPE, [CHANGE, (1, Change("b", 1, None, None, None))])
    lease = (await alone.l2.look(SCOPE, AccountKey(1, "c"), 0)).lease
    assert lease is not None
    await alone.l2.look(SCOPE, AccountKey(1, "d"), 0)
    balance = (await alone.l2.look(SCOPE, KEY, 0)).balance
    assert balance is not None
    alone.l2.fill(lease, msgspec.structs.replace(balance, code="c"))
    alone.l2.put_answer(SCOPE, 1, "key", b"answer", 60_000)
    await alone.l2.drained()
    lives = {
        key.rsplit(b":", 1)[1]: int(own_valkey.ask("PTTL", key)[1:])
        for key in own_valkey.keys()  # noqa: SIM118
    }
    assert set(lives) == {b"a", b"b", b"c", b"d~", b"key"}
    assert 0 < lives.pop(b"d~") <= 1_000
    assert all(50_000 < milliseconds <= 60_000 for milliseconds in lives.values())


async def test_a_change_that_says_too_little_is_a_miss_until_somebody_has_read(
    alone: Alone,
) -> None:
    await alone.write()
    assert await alone.l2.write(*SCOPE, [(1, Change("a", 2, "USD", None, None))])
    look = await alone.l2.look(SCOPE, KEY, 0)
    assert look.balance is None
    assert look.lease is not None
    assert await alone.write()  # the older version comes again, late
    assert (await alone.l2.look(SCOPE, KEY, 0)).balance is None


async def test_absent_at_the_start_it_says_so_and_is_used_once_it_is_there() -> None:
    valkey = Valkey()
    alone = Alone(valkey.url)
    try:
        assert await alone.l2.start() == "the server cannot be reached"
        assert not await alone.write()
        assert await alone.is_missed()
        valkey.start()
        alone.clock.pass_(6)
        assert await alone.write()
        assert (await alone.l2.look(SCOPE, KEY, 1)).balance is not None
    finally:
        await alone.l2.close()
        valkey.close()


async def test_a_wrong_password_is_told_in_words_without_the_password() -> None:
    valkey = Valkey("--requirepass", "right").start()
    alone = Alone(f"unix://:wrong@{valkey.socket}")
    try:
        said = await alone.l2.start()
        assert said == "the server refuses the user name or password of the Redis URL"
        assert not await alone.write()
    finally:
        await alone.l2.close()
        valkey.close()


async def test_killed_it_is_left_out_after_a_few_failures_and_tried_again(
    alone: Alone, own_valkey: Valkey
) -> None:
    own_valkey.kill()
    while not alone.l2.breaker.is_open:
        assert not await alone.write()
    failed = alone.counters.l2_errors
    assert not await alone.write()
    assert await alone.is_missed()
    assert alone.counters.l2_errors == failed, "nobody asked it"
    assert alone.counters.l2_skipped == 2

    own_valkey.start()
    alone.clock.pass_(6)
    assert await alone.write(), "it was restarted empty"
    assert not alone.l2.breaker.is_open


async def test_stopped_it_costs_its_timeout_a_few_times_and_then_nothing(
    own_valkey: Valkey,
) -> None:
    alone = Alone(own_valkey.url, timeout_seconds=0.05)
    assert await alone.l2.start() is None
    own_valkey.stop()
    while not alone.l2.breaker.is_open:
        assert not await alone.write()
    assert alone.counters.l2_timeouts == alone.counters.l2_errors == 3
    assert await alone.is_missed()
    assert alone.counters.l2_timeouts == 3
    own_valkey.go_on()
    await alone.l2.close()


async def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(
    own_valkey: Valkey,
) -> None:
    alone = Alone(own_valkey.url, timeout_seconds=0.05)
    await alone.l2.start()
    own_valkey.stop()
    assert await alone.l2.find_answer(SCOPE, 1, "late") is None
    own_valkey.go_on()
    patient = Alone(own_valkey.url)
    alone.l2.server.timeout_seconds = 20.0
    patient.l2.put_answer(SCOPE, 1, "key", b"mine", 60_000)
    await patient.l2.start()
    await patient.l2.drained()
    assert await alone.l2.find_answer(SCOPE, 1, "key") == b"mine"
    await alone.l2.close()
    await patient.l2.close()


async def test_scripts_that_were_flushed_are_loaded_again(alone: Alone, own_valkey: Valkey) -> None:
    assert own_valkey.ask("SCRIPT", "FLUSH") == b"+OK"
    assert not await alone.write()
    assert await alone.write()


async def test_out_of_memory_it_refuses_writes_and_still_answers() -> None:
    valkey = Valkey("--maxmemory-policy", "noeviction").start()
    alone = Alone(valkey.url)
    try:
        await alone.l2.start()
        assert await alone.write()
        assert valkey.ask("CONFIG", "SET", "maxmemory", "100kb") == b"+OK"
        newer = (1, Change("a", 2, "USD", "6", "0"))
        assert not await alone.l2.write(*SCOPE, [newer]), "so the relay draws another generation"
        assert (await alone.l2.look(SCOPE, KEY, 1)).balance is not None
        assert await alone.l2.look(SCOPE, KEY, 2) == (None, None), "no lease is to be had"
        assert not alone.l2.breaker.is_open
    finally:
        await alone.l2.close()
        valkey.close()


async def test_the_queue_of_writes_is_bounded_and_holds_nobody_up(
    alone: Alone, own_valkey: Valkey
) -> None:
    own_valkey.stop()
    for number in range(20_000):
        alone.l2.put_answer(SCOPE, 1, f"key{number}", b"answer", 60_000)
    assert alone.counters.refused_full >= 9_000
    own_valkey.go_on()


@pytest.mark.parametrize("trouble", ["kill", "stop"])
async def test_reads_are_right_while_it_is_away(world: World, valkey: Valkey, trouble: str) -> None:
    async with world.worker() as one, world.worker() as other:
        for worker in (one, other):
            worker.l2.server.timeout_seconds = 0.05
        await world.check(await one.read("a"))
        getattr(valkey, trouble)()
        changes = await world.pay("a")
        assert not await one.l2.write(
            await world.epoch(), world.generation, [(world.books.id, changes[0])]
        )
        world.generation = "g2"
        await world.notify(changes)
        await world.beat()
        await world.pass_(3)
        for worker in (one, other):
            await world.check(await worker.read("a"))
            await world.check(await worker.read("a", 2), min_version=2)
            await world.check(await worker.read("a", strong=True), strong=True)
        assert world.wrong == []
        valkey.go_on() if trouble == "stop" else valkey.start()


@pytest.mark.parametrize("count", [199, 200, 201, 1_000, 1_001, 2_345])
async def test_many_changes_are_written_by_many_scripts(alone: Alone, count: int) -> None:
    changes = [(1, Change(f"a{n}", n, "USD", str(n), "0")) for n in range(1, count + 1)]
    assert await alone.l2.write(*SCOPE, changes)
    assert alone.counters.l2_written == count
    looks = await asyncio.gather(
        *(alone.l2.look(SCOPE, AccountKey(1, change.code), 0) for _, change in changes)
    )
    assert [look.balance for look in looks] == [
        CachedBalance(f"a{n}", "USD", n, str(n), "0") for n in range(1, count + 1)
    ]


@pytest.mark.parametrize("missed", range(3))
async def test_of_many_changes_none_may_be_missed(
    alone: Alone, monkeypatch: pytest.MonkeyPatch, missed: int
) -> None:
    call = alone.l2.server.call
    numbers = itertools.count()

    async def but_one(commands: Commands) -> tuple[list[Any], str] | None:
        return None if next(numbers) == missed else await call(commands)

    monkeypatch.setattr(alone.l2.server, "call", but_one)
    changes = [(1, Change(f"a{n}", n, "USD", str(n), "0")) for n in range(1, 2_346)]
    assert not await alone.l2.write(*SCOPE, changes)
    assert next(numbers) == missed + 1, "the rest is in vain"
