"""Who waits for a call: ledgers take turns, and in each ledger its API keys."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

    from service.ledger.poster.parcels import Item, Owner, Parcel

MOST_ITEMS_A_CALL = 500
# So many are gathered. To post 500 in one call instead costs 2 % less, and all are told later.
ENOUGH_ITEMS_A_CALL = 150
MOST_BYTES_A_CALL = 4 * 1024 * 1024


class Load(NamedTuple):
    """What one call carries."""

    ledger_id: int
    items: list[Item]


class Queues:
    """Parcels by owner, first come, first served within one."""

    def __init__(self) -> None:
        self._ledgers: deque[int] = deque()  # those in which somebody waits, in turn
        self._turns: dict[int, deque[Owner]] = {}  # of each such ledger
        self._queues: dict[Owner, deque[Parcel]] = {}

    def __bool__(self) -> bool:
        return bool(self._ledgers)

    def put(self, parcel: Parcel) -> None:
        """At the end of its owner's queue."""
        owner = parcel.owner
        queue = self._queues.get(owner)
        if queue is not None:
            queue.append(parcel)
            return
        self._queues[owner] = deque([parcel])
        turns = self._turns.get(owner.ledger_id)
        if turns is not None:
            turns.append(owner)
            return
        self._turns[owner.ledger_id] = deque([owner])
        self._ledgers.append(owner.ledger_id)

    def waiting(self, owner: Owner) -> tuple[int, float]:
        """How many of the owner's parcels wait, and when the first of them came."""
        queue = self._queues.get(owner)
        return (len(queue), queue[0].came_at) if queue else (0, 0.0)

    def take(self, flying: Collection[int] = ()) -> Load | None:
        """The next call: of one ledger that has none `flying`, one parcel of each owner in turn
        until there are enough.

        A parcel is never divided. One that does not fit any more is the first of the next call.
        """
        for _ in range(len(self._ledgers)):
            ledger_id = self._ledgers.popleft()
            if ledger_id in flying:
                self._ledgers.append(ledger_id)
                continue
            items = self._gather(self._turns[ledger_id])
            if self._turns[ledger_id]:
                self._ledgers.append(ledger_id)
            else:
                del self._turns[ledger_id]
            if items:
                return Load(ledger_id, items)
        return None

    def _gather(self, turns: deque[Owner]) -> list[Item]:
        items: list[Item] = []
        size = 0
        passed_over: list[Owner] = []
        while turns and len(items) < ENOUGH_ITEMS_A_CALL:
            owner = turns.popleft()
            queue = self._queues[owner]
            while queue and queue[0].gone:  # its deadline has passed
                queue.popleft()
            if queue:
                parcel = queue[0]
                if items and (
                    len(items) + len(parcel.items) > MOST_ITEMS_A_CALL
                    or size + parcel.size > MOST_BYTES_A_CALL
                ):
                    passed_over.append(owner)
                    continue
                items += parcel.items
                size += parcel.size
                queue.popleft()
            if queue:
                turns.append(owner)
            else:
                del self._queues[owner]
        turns.extendleft(reversed(passed_over))
        return items
