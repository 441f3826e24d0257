"""Long lists of payments, a line each: posted chunk by chunk, answered in order while they come.

Memory stays flat however long the list is: a few chunks are in work at a time, and the next one is
read when the answers to the first have been taken.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from service.api.json_bodies import BODY_LIMIT, check_json
from service.api.payment_bodies import PAYMENTS_LIMIT, read_element
from service.errors import BY_CODE, Problem
from service.ledger.gateway import PaymentResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from service.ledger.poster import Element, Owner, Poster

# Besides the chunk that is read, and the one whose answers are taken.
_WINDOW = 2

# What the poster cannot take on now it may take a little later.
_PAUSE = 0.05
_FULL = ("too_many_requests", "overloaded")


class Line(NamedTuple):
    """A line by its number, from 1: a payment, or why it is none."""

    number: int
    element: Element | None
    refusal: PaymentResult | None = None


class Answered(NamedTuple):
    """A line and what became of it."""

    line: Line
    result: PaymentResult


def read_line(number: int, text: bytes) -> Line:
    """A payment with its key in it, as in a batch."""
    try:
        if len(text) > BODY_LIMIT:
            raise Problem("body_too_large", {"limit": BODY_LIMIT})
        check_json(text)
        return Line(number, read_element(text))
    except Problem as problem:
        return refused_line(number, problem)


def refused_line(number: int, problem: Problem) -> Line:
    """A line that never gets to SQL."""
    body = msgspec.json.encode(dict(problem.values))
    outcome = BY_CODE[problem.code].outcome
    return Line(number, None, PaymentResult(outcome, problem.code, False, None, body))


class Lines:
    """Cuts bytes into lines, wherever one ends; blank ones are counted and left out.

    Of a line that is too long no more is kept than shows that it is.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._number = 0

    def feed(self, data: bytes) -> Iterator[list[Line]]:
        """The lines that are complete now, in chunks that fit in a call."""
        *ends, rest = data.split(b"\n")
        texts = []
        for end in ends:
            texts.append(self._ended(end))
        self._keep(rest)
        for start in range(0, len(texts), PAYMENTS_LIMIT):
            chunk = [
                read_line(number, text)
                for number, text in texts[start : start + PAYMENTS_LIMIT]
                if text and not text.isspace()
            ]
            if chunk:
                yield chunk

    def end(self) -> Iterator[list[Line]]:
        """The last line, if nothing ended it."""
        if self._rest:
            yield from self.feed(b"\n")

    def _ended(self, end: bytes) -> tuple[int, bytes]:
        self._number += 1
        if not self._rest:
            return self._number, end
        self._keep(end)
        text = bytes(self._rest)
        self._rest.clear()
        return self._number, text

    def _keep(self, data: bytes) -> None:
        self._rest += data[: BODY_LIMIT + 1 - len(self._rest)]


async def post_lines(
    poster: Poster,
    owner: Owner,
    chunks: AsyncIterator[list[Line]],
    answer: Callable[[list[Answered]], Awaitable[None]],
) -> None:
    """Posts the chunks and has their answers taken in order.

    Whatever goes wrong with reading or with answering ends the rest, as an ExceptionGroup. What
    was read by then is posted all the same; with the same keys it can be sent again.
    """
    queue: asyncio.Queue[asyncio.Task[list[Answered]] | None] = asyncio.Queue(_WINDOW)

    async def answer_all() -> None:
        while (posting := await queue.get()) is not None:
            await answer(await posting)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(answer_all())
        async for chunk in chunks:
            await queue.put(tasks.create_task(_post(poster, owner, chunk)))
        await queue.put(None)


async def _post(poster: Poster, owner: Owner, chunk: list[Line]) -> list[Answered]:
    elements = [line.element for line in chunk if line.element is not None]
    results = iter(await _post_patiently(poster, owner, elements))
    return [Answered(line, line.refusal or next(results)) for line in chunk]


async def _post_patiently(
    poster: Poster, owner: Owner, elements: list[Element]
) -> list[PaymentResult]:
    """Waits for its turn: whoever streams is slowed down instead of refused."""
    deadline = poster.deadline()
    while True:
        code = "too_many_requests"
        if not poster.is_late(owner):
            try:
                return await poster.post_payments(elements, owner, deadline)
            except Problem as problem:
                if problem.code not in _FULL:
                    raise
                code = problem.code
        if asyncio.get_running_loop().time() + _PAUSE >= deadline:
            told = PaymentResult("busy", code, False, None, b"{}")
            return [told] * len(elements)
        await asyncio.sleep(_PAUSE)
