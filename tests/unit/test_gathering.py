"""Questions that come while others are being asked go together."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Sequence


class Library:
    """Answers with the question doubled, when the test lets it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.called = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def ask(self, group: str, questions: Sequence[int]) -> list[int]:
        self.calls.append((group, list(questions)))
        self.called.set()
        await self.open.wait()
        if 13 in questions:
            raise LookupError
        return [2 * question for question in questions]

    async def until_called(self) -> None:
        await self.called.wait()
        self.called.clear()


def asked(gathering: Gathering[str, int, int], *questions: int) -> list[asyncio.Task[int]]:
    return [asyncio.ensure_future(gathering.answer("g", question)) for question in questions]


async def test_one_that_comes_alone_is_asked_at_once() -> None:
    library = Library()
    gathering = Gathering(library.ask, most=10)
    assert await gathering.answer("g", 1) == 2
    assert await gathering.answer("g", 2) == 4
    assert library.calls == [("g", [1]), ("g", [2])]


async def test_those_who_come_meanwhile_are_in_the_next_call_and_each_has_his_answer() -> None:
    library = Library()
    gathering = Gathering(library.ask, most=3)
    library.open.clear()
    first = asked(gathering, 1)
    await library.until_called()
    others = asked(gathering, 2, 3, 4, 5)
    elsewhere = asyncio.ensure_future(gathering.answer("another group", 6))
    await library.until_called()
    library.open.set()
    assert await asyncio.gather(*first, *others, elsewhere) == [2, 4, 6, 8, 10, 12]
    assert library.calls == [("g", [1]), ("another group", [6]), ("g", [2, 3, 4]), ("g", [5])]


async def test_a_question_is_never_in_a_call_that_began_before_it() -> None:
    library = Library()
    gathering = Gathering(library.ask, most=10)
    library.open.clear()
    first = asked(gathering, 1)
    await library.until_called()
    second = asked(gathering, 1)
    await asyncio.sleep(0)
    library.open.set()
    await asyncio.gather(*first, *second)
    assert library.calls == [("g", [1]), ("g", [1])]


async def test_what_a_call_raises_all_in_it_get_and_nobody_else() -> None:
    library = Library()
    gathering = Gathering(library.ask, most=2)
    one, two, three = asked(gathering, 1, 13, 3)
    for failed in (one, two):
        with pytest.raises(LookupError):
            await failed
    assert await three == 6


async def test_who_goes_away_is_not_asked_for_and_takes_nobody_with_him() -> None:
    library = Library()
    gathering = Gathering(library.ask, most=10)
    library.open.clear()
    first, second = asked(gathering, 1, 2)
    await library.until_called()
    third, fourth = asked(gathering, 3, 4)
    await asyncio.sleep(0)
    first.cancel()
    third.cancel()
    library.open.set()
    assert await asyncio.gather(second, fourth) == [4, 8]
    assert library.calls == [("g", [1, 2]), ("g", [4])]


async def test_a_call_that_is_overdue_holds_up_nobody() -> None:
    library = Library()
    gathering = Gathering(library.ask, most=10, overdue_seconds=0.001)
    library.open.clear()
    stuck = asked(gathering, 1)
    await library.until_called()
    following = asked(gathering, 2)
    await library.until_called()
    library.open.set()
    assert await asyncio.gather(*stuck, *following) == [2, 4]


async def test_in_the_end_all_who_wait_are_told_so() -> None:
    library = Library()
    gathering = Gathering(library.ask, most=1)
    library.open.clear()
    waiting = asked(gathering, 1, 2)
    await library.until_called()
    await gathering.close()
    for one in waiting:
        with pytest.raises(asyncio.CancelledError):
            await one
