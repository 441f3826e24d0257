"""What a request hands in, and how it is answered: exactly once, by its deadline at the latest."""

from __future__ import annotations

import asyncio
import enum
from typing import TYPE_CHECKING

import msgspec

from service.errors import BY_CODE
from service.ledger.gateway import PaymentResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Element(msgspec.Struct, frozen=True, gc=False):
    """A payment, right or wrong: an element of ledger.post_payments, key and all."""

    text: bytes
    idem_key: str | None  # None: there is none to be seen, and SQL will say so
    accounts: tuple[str, ...] = ()  # those it names, if its form is a common one


class Owner(msgspec.Struct, frozen=True, gc=False):
    """Whose turn it is: one API key in one ledger."""

    ledger_id: int
    api_key_id: int


class State(enum.IntEnum):
    """Where a payment is. At the deadline it decides what can be said about it."""

    WAITING = 0  # for its first call, or the next
    BUSY = 1  # for an account that somebody else has locked
    FLYING = 2
    GONE = 3  # nobody works on it any more


class Item:
    """One payment of a parcel, on its way."""

    __slots__ = ("accounts", "doubtful", "losses", "parcel", "position", "state", "text")

    def __init__(self, parcel: Parcel, position: int, element: Element) -> None:
        self.parcel = parcel
        self.position = position
        self.text = element.text
        self.accounts = element.accounts
        self.state = State.WAITING
        self.doubtful = False  # an earlier attempt may yet be carried out
        self.losses = 0  # connections that were lost under it while it travelled alone

    def settle(self, result: PaymentResult) -> None:
        """Its answer is known. It may come too late to be told."""
        if self.doubtful and result.outcome in ("invalid", "busy"):
            # The lost attempt may still wait for a lock, or to begin, and post after all. What
            # was answered under the key (posted, rejected, conflict) it cannot change.
            result = refusal("outcome_unknown")
        self.parcel.note(self, result)
        self.leave()

    def give_up(self) -> None:
        """No more can be done for it: what is known is told."""
        self.settle(refusal(self.code()))

    def code(self) -> str:
        """What can be said of it when no more is known than now."""
        if self.doubtful or self.state is State.FLYING:
            return "outcome_unknown"
        return "account_busy" if self.state is State.BUSY else "not_attempted"

    def leave(self) -> None:
        """Nobody works on it from here on; once only."""
        if self.state is not State.GONE:
            self.state = State.GONE
            self.text = b""
            self.parcel.left()


class Parcel:
    """Payments that came together, travel in one call if they can, and are answered together.

    `on_gone` is called once, when nobody works on any of them any more: they may be answered
    before, at the deadline, when whoever made the parcel calls `expire`.
    """

    __slots__ = (
        "_on_gone",
        "_remaining",
        "_results",
        "_unknown",
        "answer",
        "came_at",
        "deadline",
        "items",
        "owner",
        "size",
    )

    def __init__(
        self,
        owner: Owner,
        elements: Sequence[Element],
        deadline: float,
        on_gone: Callable[[Parcel], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self.owner = owner
        self.deadline = deadline
        self.came_at = loop.time()
        self.items = [Item(self, position, element) for position, element in enumerate(elements)]
        self.size = sum(len(element.text) for element in elements)
        self.answer: asyncio.Future[list[PaymentResult]] = loop.create_future()
        self._on_gone = on_gone
        self._remaining = self._unknown = len(self.items)
        self._results: list[PaymentResult | None] = [None] * len(self.items)

    @property
    def gone(self) -> bool:
        """Whether nobody works on it any more."""
        return self._remaining == 0

    def note(self, item: Item, result: PaymentResult) -> None:
        """Keeps an item's first result; with the last one the parcel is answered."""
        if self._results[item.position] is None:
            self._results[item.position] = result
            self._unknown -= 1
            if self._unknown == 0 and not self.answer.done():
                self.answer.set_result(self._complete())

    def left(self) -> None:
        """One of its items has left."""
        self._remaining -= 1
        if self._remaining == 0:
            self._on_gone(self)
            self.items = []  # they know us: no circle is to be left

    def expire(self) -> None:
        """The deadline: what is in a call stays there, everything else ends here."""
        for item in self.items:
            if item.state is State.FLYING:
                self.note(item, refusal(item.code()))
            elif item.state is not State.GONE:
                item.give_up()

    def fail(self, exc: Exception) -> None:
        """A defect: whoever asked gets it, and those of its items that still wait end with it."""
        if not self.answer.done():
            self.answer.set_exception(exc)
            self.answer.exception()  # who asked may have gone away; it is not lost for that
        self.expire()

    def _complete(self) -> list[PaymentResult]:
        return [result for result in self._results if result is not None]


def refusal(code: str, body: bytes = b"{}") -> PaymentResult:
    """A result that SQL did not give."""
    return PaymentResult(BY_CODE[code].outcome, code, False, None, body)


def refusal_of(code: str, values: object) -> PaymentResult:
    """The same with values."""
    return refusal(code, msgspec.json.encode(values))
