"""How much may wait: in all, and for each owner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.errors import Problem

if TYPE_CHECKING:
    from service.ledger.poster.parcels import Owner

MOST_ITEMS = 20_000
MOST_BYTES = 32 * 1024 * 1024

# An owner may have this part: whoever fills it is told so, and there is room for the others.
_SHARE = 2


class Bounds:
    """Counts payments, and the bytes of their text, from when they are taken on until they end."""

    def __init__(self, *, items: int = MOST_ITEMS, size: int = MOST_BYTES) -> None:
        self._most = (items, size)
        self._taken = (0, 0)
        self._owners: dict[Owner, tuple[int, int]] = {}

    @property
    def items(self) -> int:
        """How many payments this process works on."""
        return self._taken[0]

    def take(self, owner: Owner, items: int, size: int) -> None:
        """Raises Problem: too_many_requests (the owner's share is full), overloaded (all is)."""
        own = _plus(self._owners.get(owner, (0, 0)), items, size)
        taken = _plus(self._taken, items, size)
        if _SHARE * own[0] > self._most[0] or _SHARE * own[1] > self._most[1]:
            raise Problem("too_many_requests")
        if taken[0] > self._most[0] or taken[1] > self._most[1]:
            raise Problem("overloaded")
        self._owners[owner] = own
        self._taken = taken

    def give_back(self, owner: Owner, items: int, size: int) -> None:
        """What `take` took."""
        self._taken = _plus(self._taken, -items, -size)
        own = _plus(self._owners[owner], -items, -size)
        if own[0]:
            self._owners[owner] = own
        else:
            del self._owners[owner]


def _plus(pair: tuple[int, int], items: int, size: int) -> tuple[int, int]:
    return (pair[0] + items, pair[1] + size)
