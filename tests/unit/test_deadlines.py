"""Timers that are shared."""

from __future__ import annotations

import asyncio

from service.ledger.poster.deadlines import GRAIN_SECONDS, Deadlines


class Ending:
    """Tells when it ended."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.ended: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def expire(self) -> None:
        self.ended.set_result(asyncio.get_running_loop().time())


async def test_each_ends_once_and_not_before_its_deadline() -> None:
    deadlines = Deadlines()
    now = asyncio.get_running_loop().time()
    endings = [Ending(now + GRAIN_SECONDS * n / 3) for n in range(-1, 8)]
    for ending in reversed(endings):
        deadlines.add(ending)
    for ending in endings:
        assert await ending.ended >= ending.deadline  # a second time would be InvalidStateError


async def test_what_has_ended_by_itself_does_not_end_again() -> None:
    deadlines = Deadlines()
    deadline = asyncio.get_running_loop().time() + GRAIN_SECONDS
    gone, there = Ending(deadline), Ending(deadline)
    deadlines.add(gone)
    deadlines.add(there)
    deadlines.discard(gone)
    await there.ended
    assert not gone.ended.done()
    deadlines.discard(there)  # afterwards, too, as a parcel does that is gone later


async def test_one_that_fails_takes_no_other_with_it() -> None:
    failures: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
    deadlines = Deadlines()
    deadline = asyncio.get_running_loop().time()
    endings = [Ending(deadline) for _ in range(3)]
    for ending in endings:
        deadlines.add(ending)
    endings[1].ended.set_result(0)  # so its expire raises
    await asyncio.gather(endings[0].ended, endings[2].ended)
    assert len(failures) == 1
