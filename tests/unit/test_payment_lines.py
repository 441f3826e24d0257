"""Lines of payments: cut wherever they end, a few chunks in work at a time, answered in order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.json_bodies import BODY_LIMIT
from service.api.payment_lines import Answered, Line, Lines, post_lines
from service.errors import Problem
from service.ledger.gateway import PaymentResult
from service.ledger.poster import Element, Owner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TEXTS = [b'{"idempotency_key":"1"}', b"", b"  ", b"no JSON", b'{"idempotency_key":"2"}\r']


def told(lines: Lines, *pieces: bytes) -> list[tuple[int, str | None]]:
    """Each line with its key, or with why it is refused."""
    chunks = [chunk for piece in pieces for chunk in lines.feed(piece)] + list(lines.end())
    return [
        (line.number, line.element.idem_key if line.element else line.refusal and line.refusal.code)
        for chunk in chunks
        for line in chunk
    ]


@given(st.lists(st.integers(0, 80), max_size=5), st.booleans())
def test_lines_are_the_same_wherever_their_bytes_are_cut(cuts: list[int], ended: bool) -> None:
    whole = b"\n".join(TEXTS) + (b"\n" if ended else b"")
    edges = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(edges)]
    assert told(Lines(), *pieces) == [(1, "1"), (4, "body_malformed"), (5, "2")]


def test_a_line_without_an_end_is_not_kept() -> None:
    lines = Lines()
    for _ in range(100):
        assert list(lines.feed(b"x" * BODY_LIMIT)) == []
    assert len(lines._rest) == BODY_LIMIT + 1
    assert told(lines, b"\n" + TEXTS[0]) == [(1, "body_too_large"), (2, "1")]


class Poster:
    """Posts everything, after `full` refusals, when it was `late` so many times."""

    def __init__(self, full: int = 0, seconds: float = 10, late: int = 0) -> None:
        self.full = full
        self.late = late
        self.seconds = seconds

    def deadline(self) -> float:
        return asyncio.get_running_loop().time() + self.seconds

    def is_late(self, _: Owner) -> bool:
        self.late -= 1
        return self.late >= 0

    async def post_payments(self, elements: list[Element], *_: Any) -> list[PaymentResult]:
        assert self.late < 0, "it would be refused, and held"
        if self.full:
            self.full -= 1
            raise Problem("too_many_requests")
        return [PaymentResult("posted", None, False, None, element.text) for element in elements]


class Source:
    """Chunks of one line each; counts those that were read."""

    def __init__(self, chunks: int) -> None:
        self.chunks = chunks
        self.read = 0

    async def __aiter__(self) -> AsyncIterator[list[Line]]:
        for number in range(self.chunks):
            self.read += 1
            yield [Line(number, Element(b"%d" % number, None))]


async def run(poster: Poster, source: Source, answer: Any) -> None:
    await post_lines(cast("Any", poster), Owner(1, 1), cast("Any", source), answer)


async def test_no_more_is_read_than_is_answered() -> None:
    source = Source(1000)
    free = asyncio.Event()
    answers: list[bytes] = []

    async def answer(answered: list[Answered]) -> None:
        await free.wait()
        answers.extend(result.body for _, result in answered)

    running = asyncio.create_task(run(Poster(), source, answer))
    for _ in range(100):
        await asyncio.sleep(0)
    assert source.read <= 4
    free.set()
    await running
    assert answers == [b"%d" % number for number in range(1000)]


async def test_who_streams_is_slowed_down_instead_of_refused() -> None:
    answers: list[str] = []

    async def answer(answered: list[Answered]) -> None:
        answers.extend(result.outcome for _, result in answered)

    await run(Poster(full=1, late=2), Source(2), answer)
    assert answers == ["posted", "posted"]
    await run(Poster(full=100, seconds=0.01), Source(1), answer)
    assert answers[2:] == ["busy"]


async def test_when_answers_are_taken_no_more_the_rest_is_not_read() -> None:
    source = Source(1000)

    async def answer(_: list[Answered]) -> None:
        raise ConnectionResetError

    with pytest.raises(ExceptionGroup) as caught:
        await run(Poster(), source, answer)
    assert isinstance(caught.value.exceptions[0], ConnectionResetError)
    assert source.read < 10
