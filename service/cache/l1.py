"""Balances in this process: so many entries at most, the least recently used go first.

Every operation takes constant time, whatever the size.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from service.cache.model import AccountKey, CachedBalance, advanced

if TYPE_CHECKING:
    from service.cache.counters import Counters
    from service.cache.model import Change


class Entry(msgspec.Struct, gc=False):
    """A balance, and since when it is known to have been the newest: a time of the cache's clock.

    It changes in place, as most changes of an account in use come by notice. There may be a
    hundred thousand: the garbage collector has nothing to look for in them.
    """

    balance: CachedBalance
    since: float


class L1:
    """No locks: whatever touches it does so between two awaits."""

    __slots__ = ("_counters", "_currencies", "_most", "entries", "touch")

    def __init__(self, most: int, counters: Counters) -> None:
        self._counters = counters
        self._currencies: dict[str, str] = {}
        self._most = most
        self.entries: OrderedDict[AccountKey, Entry] = OrderedDict()
        self.touch = self.entries.move_to_end  # by each hit: bound once

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, key: AccountKey, balance: CachedBalance, now: float) -> None:
        """Keep it, unless something newer is there."""
        entry = self.entries.get(key)
        if entry is not None:
            if entry.balance.version <= balance.version:
                entry.balance = balance
                entry.since = now
            return
        if len(self.entries) >= self._most:
            self.entries.popitem(last=False)
            self._counters.evicted_l1 += 1
        # The key's own code, and one text a currency: a hundred thousand copies add up.
        currency = self._currencies.setdefault(balance.currency, balance.currency)
        kept = msgspec.structs.replace(balance, code=key.code, currency=currency)
        self.entries[key] = Entry(kept, now)

    def hear(self, key: AccountKey, change: Change, now: float) -> None:
        """Bring a resident entry up to date, or drop it; a change inserts none."""
        entry = self.entries.get(key)
        if entry is None or entry.balance.version >= change.version:
            return
        balance = advanced(entry.balance, change)
        if balance is None:
            del self.entries[key]
            self._counters.heard_dropped += 1
        else:
            entry.balance = balance
            entry.since = now
            self._counters.heard_applied += 1

    def forget(self, key: AccountKey) -> None:
        """As if it had never been read."""
        self.entries.pop(key, None)

    def drop(self) -> None:
        """Forget everything."""
        self.entries.clear()
