"""Each race as a story: what happens in which order. World.wrong tells whether it went wrong.

Told twice: as it is (test_races.py), and with one defence taken away (test_defences.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.caching import begin

from service.cache.balances import SECONDS
from service.cache.model import Change
from service.errors import Problem

if TYPE_CHECKING:
    from support.caching import World
    from support.valkey import Valkey


async def a_fill_is_overtaken_by_a_payment_of_this_process(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        worker.primary.answer.close()
        reading = begin(worker, "a")
        await worker.primary.answer.reached()  # it has read version 1
        changes = await world.pay("a")
        worker.cache.heard(world.books.id, changes, epoch=worker.trust.epoch)
        worker.primary.answer.open()
        await world.check(await reading)

        await world.pass_(3)
        await world.check(await worker.read("a"))


async def a_fill_is_overtaken_by_a_payment_of_another_process(world: World, _: Valkey) -> None:
    async with world.worker() as one, world.worker() as other:
        one.primary.answer.close()
        reading = begin(one, "a")
        await one.primary.answer.reached()
        await world.relay(await world.pay("a"))
        one.primary.answer.open()
        await world.check(await reading)
        await one.settle()

        await world.pass_(3)
        await world.check(await one.read("a"))
        await world.check(await other.read("a"))


async def a_write_to_l2_arrives_after_a_newer_one(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        older = await world.pay("a")
        newer = await world.pay("a")
        await world.write(newer)
        await world.write(older)

        await world.pass_(3)
        await world.check(await worker.read("a"))


async def an_entry_of_l2_is_evicted_in_mid_fill(world: World, valkey: Valkey) -> None:
    async with world.worker() as one, world.worker() as other:
        one.l2.hold_fills()
        await one.read("a")  # under a lease; its fill is on its way
        await world.relay(await world.pay("a"))
        await evict(world, valkey)
        await one.l2.let_fills_go()

        await world.pass_(3)
        await world.check(await other.read("a"))


async def l2_misses_writes_for_a_while(world: World, _: Valkey) -> None:
    async with world.worker() as one, world.worker() as other:
        await one.read("a")
        await one.settle()  # version 1 is in L2

        changes = await world.pay("a")  # and version 2 did not get there:
        world.generation = "g2"
        await world.notify(changes)
        await world.beat()

        await world.pass_(3)
        await world.check(await other.read("a"))


async def what_was_told_is_not_yet_in_l2(world: World, _: Valkey) -> None:
    async with world.worker() as one, world.worker() as other:
        await one.read("a")
        await one.settle()  # version 1 is in L2

        changes = await world.pay("a")
        await world.notify(changes)
        await world.beat()
        await world.check(await other.read("a"))
        await world.write(changes)

        await world.pass_(3)
        await world.check(await other.read("a"))


async def a_payment_falls_between_two_leaders(world: World, _: Valkey) -> None:
    async with world.worker() as one, world.worker() as other:
        await one.read("a")
        await one.settle()
        other.primary.answer.close()
        other.l2.answer.close()
        reading = begin(other, "a")
        await other.l2.answer.reached()

        await world.pay("a")  # after the old leader's last poll, before the new one's first
        world.term, world.generation = 2, "g2"
        await world.beat()
        other.l2.answer.open()
        other.primary.answer.open()
        await world.check(await reading)
        await other.settle()

        await world.pass_(3)
        await world.check(await one.read("a"))
        await world.check(await other.read("a"))


async def an_old_leader_wakes_up_late(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        world.term, world.generation = 2, "g2"
        await world.beat()
        await worker.read("a")

        await world.pay(
            "a"
        )  # the new leader has stopped, and the old one, who knows nothing of it,
        world.term, world.generation = 1, "g1"
        await world.pass_(3)  # sends heartbeats
        await world.check(await worker.read("a"))


async def the_listener_misses_a_payment(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        await world.check(await worker.read("a"))
        worker.trust.lost()
        changes = await world.pay("a")
        await world.write(changes)
        await world.pass_(3)
        await world.connect(worker)
        await world.check(await worker.read("a"))


async def a_read_lands_after_the_listener_missed_a_payment(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        worker.primary.answer.close()
        reading = begin(worker, "a")
        await worker.primary.answer.reached()  # it has read version 1
        worker.trust.lost()
        await world.write(await world.pay("a"))
        await world.connect(worker)
        worker.primary.answer.open()
        await world.check(await reading)

        await world.pass_(3)
        await world.check(await worker.read("a"))


async def a_process_is_stopped_and_continued(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        await world.check(await worker.read("a"))
        await world.write(await world.pay("a"))
        await world.pass_(3, worker)  # SIGSTOP, SIGCONT: nothing of it has run yet but this read
        await world.check(await worker.read("a"))


async def the_connection_of_a_stopped_process_holds_a_whole_past(world: World, _: Valkey) -> None:
    async with world.worker() as worker, world.worker() as other:
        await other.read("a")
        await other.settle()  # version 1 is in L2, in the generation of then
        world.clock.pass_(0.25)
        past = world.generation

        world.generation = "g2"
        changes = await world.pay("a")
        await world.pass_(3, worker)
        world.generation = past
        await world.beat(worker)  # the first of what has waited
        await world.check(await worker.read("a"))
        world.generation = "g2"
        await world.notify(changes, worker)


async def two_databases_share_one_redis(world: World, _: Valkey) -> None:
    """The other one, too, has a ledger of this id and an account `a`, at another balance."""
    async with world.worker() as worker:
        await worker.read("a")
        elsewhere = Change("a", 2, "USD", "5", "0")
        assert await worker.l2.write(
            "another epoch", world.generation, [(world.books.id, elsewhere)]
        )
        await world.pass_(SECONDS + 1)  # L1's entry is too old
        await world.check(await worker.read("a"))


async def a_value_lies_under_the_key_of_another_account(world: World, valkey: Valkey) -> None:
    assert valkey.ask("FLUSHALL") == b"+OK"  # other databases' keys
    await world.books.open("b")
    await world.pay("b", 7)
    async with world.worker() as worker:
        await worker.read("a")
        await worker.read("b")
        await worker.settle()
        (one,) = valkey.keys(f"*:b:{world.books.id}:a")
        (other,) = valkey.keys(f"*:b:{world.books.id}:b")
        valkey.ask("COPY", other, one, "REPLACE")
        await world.pass_(SECONDS + 1)  # L1's entries are too old
        await world.check(await worker.read("a"))


async def redis_is_restarted_with_old_data(world: World, valkey: Valkey) -> None:
    async with world.worker() as one, world.worker() as other:
        await one.read("a")
        await one.settle()
        assert valkey.ask("SAVE") == b"+OK"  # with version 1
        await world.relay(await world.pay("a"))
        valkey.kill()
        valkey.start()

        await world.pass_(6)
        for _ in range(4):  # connections to the server before are found closed, one by one
            await world.check(await other.read("a", strong=True))
            await other.l2.look(other.trust.scope, other.key("b"), 0)
        assert not other.l2.breaker.is_open
        await world.pass_(SECONDS + 1)
        await world.check(await other.read("a"))


async def a_strong_reader_joins_an_older_flight(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        worker.primary.answer.close()
        first = begin(worker, "a")
        await worker.primary.answer.reached()
        await world.pay("a")
        second = begin(worker, "a", strong=True)
        worker.primary.answer.open()
        await world.check(await first)
        await world.check(await second, strong=True)


async def a_reader_with_a_token_joins_an_older_flight(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        worker.primary.answer.close()
        first = begin(worker, "a")
        await worker.primary.answer.reached()
        token = (await world.pay("a"))[0].version
        second = begin(worker, "a", min_version=token)
        worker.primary.answer.open()
        await world.check(await first)
        try:
            await world.check(await second, min_version=token)
        except Problem as problem:
            world.wrong.append(f"{problem.code}, though the primary has it")


async def a_write_on_one_worker_is_read_on_another_with_the_token(world: World, _: Valkey) -> None:
    async with world.worker() as one, world.worker() as other:
        await other.read("a")
        await other.settle()
        changes = await world.pay("a")
        one.cache.heard(world.books.id, changes, epoch=one.trust.epoch)
        token = changes[0].version
        await world.check(await other.read("a", min_version=token), min_version=token)


async def notices_come_late_twice_and_out_of_order(world: World, _: Valkey) -> None:
    async with world.worker() as worker:
        await worker.read("a")
        older = await world.pay("a")
        newer = await world.pay("a")
        for changes in (newer, older, newer, older):
            await world.notify(changes)
            await world.check(
                await worker.read("a", newer[0].version), min_version=newer[0].version
            )
        await world.notify(older)
        await world.pass_(3)
        await world.check(await worker.read("a"))


async def evict(world: World, valkey: Valkey) -> None:
    """As maxmemory does, any key at any time: here the values, and not the leases."""
    keys = [key for key in valkey.keys(f"*:b:{world.books.id}:*") if not key.endswith(b"~")]
    assert keys
    valkey.ask("DEL", *keys)


RACES = [
    a_fill_is_overtaken_by_a_payment_of_this_process,
    a_fill_is_overtaken_by_a_payment_of_another_process,
    a_write_to_l2_arrives_after_a_newer_one,
    an_entry_of_l2_is_evicted_in_mid_fill,
    l2_misses_writes_for_a_while,
    what_was_told_is_not_yet_in_l2,
    a_payment_falls_between_two_leaders,
    an_old_leader_wakes_up_late,
    the_listener_misses_a_payment,
    a_read_lands_after_the_listener_missed_a_payment,
    a_process_is_stopped_and_continued,
    the_connection_of_a_stopped_process_holds_a_whole_past,
    two_databases_share_one_redis,
    a_value_lies_under_the_key_of_another_account,
    redis_is_restarted_with_old_data,
    a_strong_reader_joins_an_older_flight,
    a_reader_with_a_token_joins_an_older_flight,
    a_write_on_one_worker_is_read_on_another_with_the_token,
    notices_come_late_twice_and_out_of_order,
]
