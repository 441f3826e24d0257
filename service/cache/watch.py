"""What was heard of an account while a flight reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.cache.model import advanced

if TYPE_CHECKING:
    from service.cache.model import CachedBalance, Change


class Watch:
    """Between the beginning of a flight and the moment its outcome is kept."""

    __slots__ = ("newest",)

    def __init__(self) -> None:
        self.newest: Change | None = None

    def hear(self, change: Change) -> None:
        """Notices may come late and twice: the newest counts."""
        if self.newest is None or change.version >= self.newest.version:
            self.newest = change

    def settle(self, balance: CachedBalance) -> CachedBalance | None:
        """What to keep of a balance that was read; None: a newer one is known, not in full."""
        if self.newest is None or self.newest.version <= balance.version:
            return balance
        return advanced(balance, self.newest)
