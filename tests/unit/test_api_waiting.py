"""Requests that wait for each other: of one key, or for one answer."""

from __future__ import annotations

import asyncio

import pytest

from service.api.expiring import Expiring
from service.ledger.keys_in_work import KeysInWork

KEY = (1, "k")


def soon() -> float:
    return asyncio.get_running_loop().time() + 10


async def settle() -> None:
    """Lets every task run until it waits."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_those_with_one_key_come_one_at_a_time_in_order() -> None:
    keys = KeysInWork()
    order: list[int] = []
    inside = 0

    async def work(number: int) -> None:
        nonlocal inside
        assert await keys.enter(KEY, soon())
        inside += 1
        assert inside == 1
        order.append(number)
        await asyncio.sleep(0)
        inside -= 1
        keys.leave(KEY)

    await asyncio.gather(*(work(number) for number in range(20)))
    assert order == list(range(20))
    assert keys._waiting == {}


async def test_other_keys_do_not_wait() -> None:
    keys = KeysInWork()
    assert await keys.enter(KEY, soon())
    assert await keys.enter((2, "k"), soon())
    assert await keys.enter((1, "l"), soon())


async def test_who_waits_too_long_goes_without_it_and_nobody_is_held_up() -> None:
    keys = KeysInWork()
    now = asyncio.get_running_loop().time()
    assert await keys.enter(KEY, soon())
    assert not await keys.enter(KEY, now + 0.01)
    patient = asyncio.create_task(keys.enter(KEY, soon()))
    await settle()
    keys.leave(KEY)
    assert await patient
    keys.leave(KEY)
    assert keys._waiting == {}


@pytest.mark.parametrize("noticed", [True, False])
async def test_who_is_cancelled_while_waiting_is_passed_over(noticed: bool) -> None:
    keys = KeysInWork()
    assert await keys.enter(KEY, soon())
    first, second = (asyncio.create_task(keys.enter(KEY, soon())) for _ in range(2))
    await settle()
    first.cancel()
    if noticed:
        await settle()
    keys.leave(KEY)
    assert await second
    keys.leave(KEY)
    assert keys._waiting == {}


async def test_who_is_cancelled_as_its_turn_comes_hands_it_on() -> None:
    keys = KeysInWork()
    assert await keys.enter(KEY, soon())
    first, second = (asyncio.create_task(keys.enter(KEY, soon())) for _ in range(2))
    await settle()
    keys.leave(KEY)  # first's turn, which it has not noticed yet
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second
    keys.leave(KEY)
    assert keys._waiting == {}


class Source:
    """Counts how often it is asked; answers when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.free = asyncio.Event()
        self.free.set()

    async def load(self, key: str) -> str | None:
        self.asked += 1
        await self.free.wait()
        if key == "broken":
            raise OSError(key)
        return None if key == "unknown" else key.upper()


async def test_an_answer_is_kept_for_its_time_and_then_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = Source()
    kept = Expiring(source.load, seconds=2, most=10)
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    assert [await kept.get("a") for _ in range(3)] == ["A"] * 3
    assert source.asked == 1
    now += 1.99
    await kept.get("a")
    assert source.asked == 1
    now += 0.01
    await kept.get("a")
    assert source.asked == 2


async def test_that_there_is_none_is_an_answer_too() -> None:
    source = Source()
    kept = Expiring(source.load, seconds=2, most=10)
    assert [await kept.get("unknown") for _ in range(3)] == [None] * 3
    assert source.asked == 1
    kept.forget("unknown")
    await kept.get("unknown")
    assert source.asked == 2


async def test_many_who_ask_at_once_ask_once() -> None:
    source = Source()
    source.free.clear()
    kept = Expiring(source.load, seconds=2, most=10)
    asking = [asyncio.create_task(kept.get("a")) for _ in range(50)]
    await settle()
    asking.pop().cancel()  # one gives up; the others are answered all the same
    await settle()
    source.free.set()
    assert await asyncio.gather(*asking) == ["A"] * 49
    assert source.asked == 1


async def test_a_failure_is_told_to_all_who_asked_and_not_kept() -> None:
    source = Source()
    kept = Expiring(source.load, seconds=2, most=10)
    results = await asyncio.gather(kept.get("broken"), kept.get("broken"), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    with pytest.raises(OSError, match="broken"):
        await kept.get("broken")
    assert source.asked == 2


async def test_the_number_of_answers_is_bounded() -> None:
    source = Source()
    kept = Expiring(source.load, seconds=2, most=10)
    for number in range(1000):
        await kept.get(str(number))
    assert len(kept._answers) == 10
    assert kept._flights == {}
    await kept.get("999")
    assert source.asked == 1000
