"""Skips what keeps failing, and tries it again now and then."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FAILURES = 3  # in a row, that open it
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0


class Breaker:
    """Closed: all pass. Open: nobody does, until a pause is over; then one, whose luck decides."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = _FIRST_PAUSE
        self._opens_until = 0.0
        self.is_open = False
        self.times_opened = 0

    def admits(self) -> bool:
        """Whether to try. Open, and its pause over: the one who asks is the one who tries."""
        if not self.is_open:
            return True
        now = self._clock()
        if now < self._opens_until:
            return False
        self._opens_until = now + self._pause  # the others wait for him
        return True

    @property
    def is_failing(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    def succeeded(self) -> None:
        """All is well."""
        self.is_open = False
        self._failures = 0
        self._pause = _FIRST_PAUSE

    def failed(self) -> None:
        """Open after a few in a row; longer each time that a trial fails."""
        self._failures += 1
        if self.is_open:
            self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        elif self._failures < _FAILURES:
            return
        else:
            self.is_open = True
            self.times_opened += 1
        self._opens_until = self._clock() + self._pause
