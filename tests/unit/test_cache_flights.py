"""Who may be answered by which flight."""

from __future__ import annotations

import asyncio

import pytest
from support.clock import Clock

from service.cache.breaker import Breaker
from service.cache.flights import Flights, Need

ANY = Need(0, fresh=False, current=True)
FRESH = Need(0, fresh=True, current=True)


class Flying:
    """Flights that land when they are told to, with the number of the flight."""

    def __init__(self) -> None:
        self.flights: Flights[str, int] = Flights(self._fly)
        self.needs: list[Need] = []
        self.landings: list[asyncio.Future[int]] = []

    async def _fly(self, _: str, need: Need) -> int:
        self.needs.append(need)
        self.landings.append(asyncio.get_running_loop().create_future())
        return await self.landings[-1]

    def newer(self, need: Need) -> asyncio.Task[int]:
        return asyncio.ensure_future(self.flights.join_newer("a", need, self.flights.arrive()))

    async def land(self) -> None:
        await turn()
        self.landings[-1].set_result(len(self.landings))
        await turn()


async def turn() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
async def flying() -> Flying:
    return Flying()


async def test_there_is_nothing_to_join_when_nothing_flies(flying: Flying) -> None:
    assert await flying.flights.join_older("a") is None


async def test_who_comes_while_one_flies_is_answered_by_the_next_and_all_share_it(
    flying: Flying,
) -> None:
    first = flying.newer(ANY)
    await turn()
    later = [flying.newer(ANY), flying.newer(FRESH), flying.newer(Need(7, False, False))]
    await flying.land()
    await flying.land()
    assert await first == 1
    assert [await read for read in later] == [2, 2, 2]
    assert flying.needs == [ANY, Need(7, fresh=True, current=True)]
    assert len(flying.flights) == 0


async def test_an_older_flight_can_be_joined_by_those_whom_it_will_do(flying: Flying) -> None:
    first = flying.newer(ANY)
    await turn()
    older = asyncio.ensure_future(flying.flights.join_older("a"))
    await flying.land()
    assert await first == await older == 1


async def test_a_flight_that_began_after_an_arrival_serves_if_it_covers_the_need(
    flying: Flying,
) -> None:
    arrived = flying.flights.arrive()
    first = flying.newer(FRESH)
    await turn()
    late = asyncio.ensure_future(flying.flights.join_newer("a", ANY, arrived))
    asks_more = asyncio.ensure_future(flying.flights.join_newer("a", Need(1, True, True), arrived))
    await flying.land()
    await flying.land()
    assert (await first, await late, await asks_more) == (1, 1, 2)


async def test_a_reader_who_goes_away_leaves_the_flight_to_the_others(flying: Flying) -> None:
    first = flying.newer(ANY)
    await turn()
    sharing = asyncio.ensure_future(flying.flights.join_older("a"))
    second = flying.newer(ANY)
    await turn()
    first.cancel()
    await flying.land()
    await flying.land()
    assert await sharing == 1
    assert await second == 2


async def test_what_a_flight_raises_all_who_joined_get(flying: Flying) -> None:
    first = flying.newer(ANY)
    await turn()
    older = asyncio.ensure_future(flying.flights.join_older("a"))
    await turn()
    flying.landings[0].set_exception(LookupError)
    for read in (first, older):
        with pytest.raises(LookupError):
            await read
    assert len(flying.flights) == 0


async def test_closing_ends_what_flies_and_what_waits(flying: Flying) -> None:
    reads = [flying.newer(ANY)]
    await turn()
    reads.append(flying.newer(ANY))
    await turn()
    await flying.flights.close()
    for read in reads:
        with pytest.raises(asyncio.CancelledError):
            await read
    assert len(flying.flights) == 0


def test_the_breaker_opens_after_three_failures_in_a_row_and_lets_one_try() -> None:
    clock = Clock()
    breaker = Breaker(clock)
    for outcome in (breaker.failed, breaker.failed, breaker.succeeded, *[breaker.failed] * 2):
        assert breaker.admits()
        outcome()
    assert not breaker.is_open
    breaker.failed()
    assert breaker.is_open
    assert not breaker.admits()
    clock.pass_(0.5)
    assert breaker.admits()
    assert not breaker.admits(), "the others wait for him"
    breaker.failed()
    clock.pass_(0.9)
    assert not breaker.admits(), "a longer pause"
    clock.pass_(0.1)
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.admits()
    assert breaker.times_opened == 1
