"""Takes payments on, sees that each key travels once at a time, and keeps the calls going."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Self

from service.errors import describe
from service.ledger.keys_in_work import KeysInWork
from service.ledger.poster.bounds import Bounds
from service.ledger.poster.calls import Calls
from service.ledger.poster.deadlines import Deadlines
from service.ledger.poster.lanes import Lanes
from service.ledger.poster.lateness import Lateness
from service.ledger.poster.parcels import Parcel, refusal
from service.ledger.poster.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.ledger.gateway import Gateway, PaymentResult
    from service.ledger.keys_in_work import Key
    from service.ledger.poster.echo import Echo
    from service.ledger.poster.parcels import Element, Item, Owner

logger = logging.getLogger(__name__)

# One call a ledger: two would wait for each other's accounts, and what comes meanwhile makes the
# next one larger. See docs/decisions.md. When one has taken so long, something is wrong with it
# (its connection is dead, its backend stopped), and the next one does not wait for it.
_OVERDUE_SECONDS = 0.3

# In all; the pool's other connections are for lanes, and for what does not come through here.
CALLS_IN_FLIGHT = 8

# The part of its time that a request does not spend on waiting for an earlier one with its key.
# What is left must do for asking the database, and the earlier one, which has the earlier
# deadline, must not always end first.
_RESERVE = 0.2

# For calls in flight when the service stops: those who asked have been answered by then.
_CLOSE_SECONDS = 2.0


class Poster:
    """Every payment of this process goes through here. To be entered: `async with`."""

    def __init__(self, gateway: Gateway, echo: Echo, *, deadline_seconds: float) -> None:
        self._echo = echo
        self._deadline_seconds = deadline_seconds
        self._keys = KeysInWork()
        self._bounds = Bounds()
        self._queues = Queues()
        self._lateness = Lateness(self._queues)
        self._deadlines = Deadlines()
        self._calls = Calls(gateway, deadline_seconds=deadline_seconds)
        self._lanes = Lanes(self._calls)
        self._work = asyncio.Event()
        self._in_flight: set[asyncio.Task[None]] = set()
        self._flying: dict[int, asyncio.Task[None]] = {}  # of each ledger, if not overdue
        self._parcels: set[Parcel] = set()
        self._dispatcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._dispatcher = asyncio.create_task(self._dispatch())
        self._dispatcher.add_done_callback(_told)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._dispatcher is not None:
            self._dispatcher.cancel()
        await self._lanes.close()
        if self._in_flight:
            await asyncio.wait(self._in_flight, timeout=_CLOSE_SECONDS)
        for task in self._in_flight:
            task.cancel()
        await asyncio.gather(*self._in_flight, return_exceptions=True)
        for parcel in list(self._parcels):
            parcel.expire()

    @property
    def runs(self) -> bool:
        """Whether payments are dispatched. False is for good: the process must be replaced."""
        return self._dispatcher is not None and not self._dispatcher.done()

    @property
    def items(self) -> int:
        """How many payments it works on."""
        return self._bounds.items

    def is_late(self, owner: Owner) -> bool:
        """Whether what the owner sends now would be refused: too much of his waits already."""
        return self._lateness.is_late(owner)

    def deadline(self) -> float:
        """When a request that begins now must be answered: a time of the running loop."""
        return asyncio.get_running_loop().time() + self._deadline_seconds

    async def post_payment(self, element: Element, owner: Owner, deadline: float) -> PaymentResult:
        """Raises Problem: too_many_requests or overloaded; nothing was done then."""
        size = len(element.text)
        keys = _keys_of([element], owner)
        if await self._take_on(keys, owner, 1, size, deadline):
            self._bounds.give_back(owner, 1, size)
            return refusal("idempotency_key_in_use")

        # By now the one before us has its answer.
        idem_key = element.idem_key or ""
        fingerprint = hashlib.sha256(element.text).digest()
        try:
            known = await self._echo.find(owner.ledger_id, idem_key, fingerprint)
        except BaseException:
            self._give_back(keys, owner, 1, size)
            raise
        if known is not None:
            self._give_back(keys, owner, 1, size)
            return known

        (result,) = await self._submit([element], keys, owner, deadline)
        self._echo.keep(owner.ledger_id, idem_key, fingerprint, result)
        self._echo.hear(owner.ledger_id, (result,))
        return result

    async def post_payments(
        self, elements: Sequence[Element], owner: Owner, deadline: float
    ) -> list[PaymentResult]:
        """Independent payments, in order, in one call if they fit into one.

        Raises Problem: too_many_requests or overloaded; nothing was done then. Whoever stops
        waiting for the results changes nothing: what was taken on is posted.
        """
        size = sum([len(element.text) for element in elements])
        keys = _keys_of(elements, owner)
        in_use = await self._take_on(keys, owner, len(elements), size, deadline)
        refused = {key for _, key in in_use}
        free = elements
        if refused:
            free = [element for element in elements if element.idem_key not in refused]
            left_out = size - sum([len(element.text) for element in free])
            self._bounds.give_back(owner, len(elements) - len(free), left_out)

        results = await self._submit(free, keys - in_use, owner, deadline)
        self._echo.hear(owner.ledger_id, results)
        if not refused:
            return results
        told = refusal("idempotency_key_in_use")
        rest = iter(results)
        return [told if element.idem_key in refused else next(rest) for element in elements]

    async def _take_on(
        self, keys: set[Key], owner: Owner, items: int, size: int, deadline: float
    ) -> set[Key]:
        """Takes room, and waits for the keys. Those that stay in use are returned."""
        if self._lateness.is_late(owner):
            await self._lateness.refuse(size, deadline)
        self._bounds.take(owner, items, size)
        if self._keys.enter_at_once(keys):
            return set()
        try:
            latest = deadline - _RESERVE * self._deadline_seconds
            return await self._keys.enter_all(keys, latest)
        except BaseException:
            self._bounds.give_back(owner, items, size)
            raise

    async def _submit(
        self, elements: Sequence[Element], keys: set[Key], owner: Owner, deadline: float
    ) -> list[PaymentResult]:
        """The keys are ours, and there is room. The parcel gives both back when it is gone."""
        if not elements:
            return []
        parcel = Parcel(owner, elements, deadline, partial(self._gone, keys))
        self._parcels.add(parcel)
        self._deadlines.add(parcel)
        self._queues.put(parcel)
        self._work.set()
        return await parcel.answer

    def _gone(self, keys: set[Key], parcel: Parcel) -> None:
        self._parcels.discard(parcel)
        self._deadlines.discard(parcel)
        self._give_back(keys, parcel.owner, len(parcel.items), parcel.size)

    def _give_back(self, keys: set[Key], owner: Owner, items: int, size: int) -> None:
        self._bounds.give_back(owner, items, size)
        for key in keys:
            self._keys.leave(key)

    async def _dispatch(self) -> None:
        """Begins calls while there are payments and fewer calls than there may be."""
        while True:
            await self._work.wait()
            self._work.clear()
            while len(self._in_flight) < CALLS_IN_FLIGHT and (
                load := self._queues.take(self._flying)
            ):
                items = self._lanes.divert(load.ledger_id, load.items)
                if items:
                    self._begin(load.ledger_id, items)

    def _begin(self, ledger_id: int, items: list[Item]) -> None:
        task = asyncio.create_task(self._fly(ledger_id, items))
        self._in_flight.add(task)
        self._flying[ledger_id] = task
        overdue = asyncio.get_running_loop().call_later(
            _OVERDUE_SECONDS, self._make_way, ledger_id, task
        )
        task.add_done_callback(partial(self._landed, ledger_id, overdue))

    async def _fly(self, ledger_id: int, items: list[Item]) -> None:
        try:
            self._lanes.put(ledger_id, await self._calls.post(ledger_id, items))
        except Exception as exc:  # noqa: BLE001 -- those who asked are told, and the others go on
            logger.error("defect", extra={"exception": describe(exc)})
            for item in items:
                item.give_up()

    def _make_way(self, ledger_id: int, task: asyncio.Task[None]) -> None:
        if self._flying.get(ledger_id) is task:
            del self._flying[ledger_id]
            self._work.set()

    def _landed(
        self, ledger_id: int, overdue: asyncio.TimerHandle, task: asyncio.Task[None]
    ) -> None:
        overdue.cancel()
        self._in_flight.discard(task)
        self._make_way(ledger_id, task)
        self._work.set()


def _keys_of(elements: Sequence[Element], owner: Owner) -> set[Key]:
    return {
        (owner.ledger_id, element.idem_key) for element in elements if element.idem_key is not None
    }


def _told(dispatcher: asyncio.Task[None]) -> None:
    """It never ends by itself; if it does, /readyz says so, and the log why."""
    if not dispatcher.cancelled() and (exc := dispatcher.exception()) is not None:
        logger.critical("the dispatcher died", extra={"exception": describe(exc)})
