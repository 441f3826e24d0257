"""Accounts that are not there: a small table, so that guessing codes costs the others nothing."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.cache.model import AccountKey

_MOST = 10_000
_SECONDS = 1.0


class Unknown:
    """Each for a second at most; the oldest go first."""

    def __init__(self) -> None:
        self._until: OrderedDict[AccountKey, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._until)

    def put(self, key: AccountKey, now: float) -> None:
        """It was looked for, and is not there."""
        self._until.pop(key, None)
        if len(self._until) >= _MOST:
            self._until.popitem(last=False)
        self._until[key] = now + _SECONDS

    def holds(self, key: AccountKey, now: float) -> bool:
        """Whether it was not there a moment ago."""
        until = self._until.get(key)
        return until is not None and now < until

    def forget(self, key: AccountKey) -> None:
        """Something was heard of it."""
        self._until.pop(key, None)
