"""Windows of loss: from when no standby is waited for, until another history has begun.

What is acknowledged in one may be lost, and nothing else may be. A window is as the history
declares it: what was on its way at any time between its two marks belongs to it. Whatever was asked
for after its end must be of the new history, and be kept.
"""

from __future__ import annotations

from loadgen.headers import parts
from loadgen.journal.records import WINDOW_OVER, Mark


class Windows:
    """Looks at the marks as they go by; in memory are the epochs that reads have named."""

    def __init__(self) -> None:
        self._number = 0
        self._open = False
        self._end_place = self._end_at = -1
        self._epochs: set[str] = set()
        self._given_up: set[str] = set()

    def mark(self, place: int, mark: Mark) -> None:
        """Take note of a window's beginning or end."""
        if mark.event == "start" and mark.loses:
            self._number += 1
            self._open = True
        elif mark.event == WINDOW_OVER:
            self._open = False
            self._end_place, self._end_at = place, mark.at
            self._given_up |= self._epochs

    def of_attempt(self, invoked: int) -> int:
        """Say in which window an attempt was on its way that is answered now."""
        return self._number if self._open or invoked < self._end_place else 0

    def of_read(self, asked: int) -> int:
        """Say in which window a read was on its way that is answered now."""
        return self._number if self._open or asked < self._end_at else 0

    def is_over(self, etag: str, window: int) -> bool:
        """Say whether a read that is of no window names the epoch of a history given up."""
        found = parts(etag)
        if window or found is None:
            return False  # an epoch that is seen in a window may be the old one or the new one
        self._epochs.add(found[1])
        return found[1] in self._given_up
