"""Whether PostgreSQL's disk has room, as far as posting calls have met it.

Nobody asks for it: there is no question that PostgreSQL would answer without superuser's rights,
and reads go well on a full disk. So the calls that write are listened to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# Who is not ready is sent no payments, and would hear nothing more: after this time the next ones
# find out. They are told at once that they were not attempted.
SECONDS = 10.0

_DISK_FULL = "53100"


class Disk:
    """Full from a call that failed for that until one has written, or until it is long ago."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._full_until = 0.0

    @property
    def full(self) -> bool:
        """Whether the next payment is likely to fail, too."""
        return self._now() < self._full_until

    def failed(self, sqlstate: str | None) -> None:
        """A call that would have written has failed."""
        if sqlstate == _DISK_FULL:
            self._full_until = self._now() + SECONDS

    def wrote(self) -> None:
        """A call has written something; a replay, say, writes nothing."""
        self._full_until = 0.0
