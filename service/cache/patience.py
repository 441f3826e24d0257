"""A time limit that does not take a busy process for a slow server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

# Between two of them the loop looks at its sockets.
_LOOKS = 2
_LOOK_SECONDS = 0.001


class Patience:
    """asyncio.timeout_at, but what has arrived by then is taken.

    A process that was busy for long comes late to all that is due, and to its timers first: an
    answer that had been there for long would be given up, unread.
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._timeout = asyncio.timeout(None)

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_at(self._deadline, self._due, _LOOKS)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Raises TimeoutError if the time was up."""
        self._timer.cancel()
        await self._timeout.__aexit__(kind, error, trace)

    def _due(self, looks: int) -> None:
        if looks:
            self._timer = self._loop.call_later(_LOOK_SECONDS, self._due, looks - 1)
        else:
            self._timeout.reschedule(self._loop.time())
