"""Questions that come while others are being asked go together, in the next call.

A question by itself costs a round trip, and most of that is the same for a hundred of them. When
nothing is under way a question is asked at once: nobody waits for company.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence

G = TypeVar("G", bound="Hashable")
Q = TypeVar("Q")
A = TypeVar("A")

# When a call has taken so long, something is wrong with it (its connection is dead, its backend
# stopped), and the next one does not wait for it.
OVERDUE_SECONDS = 0.3


class Gathering(Generic[G, Q, A]):
    """`ask(group, questions)` gives an answer to each, in order. One call a group at a time.

    What it raises, everybody gets who asked in that call.
    """

    def __init__(
        self,
        ask: Callable[[G, Sequence[Q]], Awaitable[Sequence[A]]],
        *,
        most: int,
        overdue_seconds: float = OVERDUE_SECONDS,
    ) -> None:
        self._ask = ask
        self._most = most
        self._overdue_seconds = overdue_seconds
        self._waiting: dict[G, deque[tuple[Q, asyncio.Future[A]]]] = {}  # of groups being asked
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, group: G, question: Q) -> A:
        """The answer, or what the call raised.

        A call begins after this one returns to the loop, so those who come in the same breath are
        in it.
        """
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.get(group)
        if waiting is None:
            waiting = self._waiting[group] = deque()
            self._begin(self._work(group, waiting))
        waiting.append((question, answer))
        return await answer

    async def _work(self, group: G, waiting: deque[tuple[Q, asyncio.Future[A]]]) -> None:
        """Call after call, as long as somebody waits."""
        while waiting:
            asked = [waiting.popleft() for _ in range(min(len(waiting), self._most))]
            asked = [(question, answer) for question, answer in asked if not answer.done()]
            if asked:
                call = self._begin(self._call(group, asked))
                await asyncio.wait((call,), timeout=self._overdue_seconds)
        del self._waiting[group]

    async def _call(self, group: G, asked: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._ask(group, [question for question, _ in asked])
        except asyncio.CancelledError:
            for _, answer in asked:
                answer.cancel()
            raise
        except Exception as exc:  # noqa: BLE001 -- whoever asked gets it
            for _, answer in asked:
                if not answer.done():
                    answer.set_exception(exc)
        else:
            for (_, answer), found in zip(asked, answers, strict=True):
                if not answer.done():
                    answer.set_result(found)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """End what is being asked, and who waits for it."""
        for waiting in self._waiting.values():
            for _, answer in waiting:
                answer.cancel()
            waiting.clear()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
