"""Refuses whoever sends more than can be posted in time, and lets the refusal wait.

Who is refused at once asks again at once, and three refusals take what a payment takes: what is
accepted becomes less, and no earlier. A refusal that is held back costs nothing meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.errors import Problem

if TYPE_CHECKING:
    from service.ledger.poster.parcels import Owner
    from service.ledger.poster.queues import Queues

# An owner who has so many requests waiting (a call's worth, and more than one of two workers gets
# of 256 connections), the first of them for so long, sends more than can be posted. To take still
# more would only make all of them later.
MANY = 150
LATE_SECONDS = 0.05

# What Retry-After says, which such a client does not look at.
HOLD_SECONDS = 1.0
# What is held keeps its memory; whatever is beyond this is refused at once.
MOST_HELD_BYTES = 8 * 1024 * 1024
_OVERHEAD_BYTES = 1024  # of each request, besides its text


class Lateness:
    """Looks at an owner's queue before a request is taken on."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues
        self._held_bytes = 0

    def is_late(self, owner: Owner) -> bool:
        """Whether the owner has more waiting than is likely to be posted in time."""
        waiting, since = self._queues.waiting(owner)
        return waiting >= MANY and asyncio.get_running_loop().time() - since > LATE_SECONDS

    async def refuse(self, size: int, deadline: float) -> None:
        """Raises Problem too_many_requests; nothing is done with the `size` bytes.

        By the deadline, a time of the running loop, at the latest.
        """
        left = deadline - asyncio.get_running_loop().time()
        taken = size + _OVERHEAD_BYTES
        if self._held_bytes + taken <= MOST_HELD_BYTES:
            self._held_bytes += taken
            try:
                await asyncio.sleep(max(0.0, min(HOLD_SECONDS, left)))
            finally:
                self._held_bytes -= taken
        raise Problem("too_many_requests")
