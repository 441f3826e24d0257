"""One term of the relay: has the listeners told of what changed, and writes it to L2.

The loop itself sends the heartbeats, each after a poll that was told completely. A timer beside it
would go on saying that all is well while the loop hangs.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from typing import TYPE_CHECKING, Protocol

import msgspec

from service.cache.model import UNSHARED, Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database.relaying import RelaySession, Told
    from service.relay.counters import RelayCounters

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.005
IDLE_POLL_SECONDS = 0.025
# A poll hardly costs more if it tells of more, and an account that was paid ten times is told once.
# So the more is posted, and the fewer processors are free for polls, the less often they come: for
# each payment that is posted while a poll takes its time there are 2 ms until the next one begins.
REST_SECONDS_A_PAYMENT = 0.002
LONGEST_REST_SECONDS = 0.2
# Both are what they were lately: after a single slow poll nobody has to wait even longer.
_LATELY_SECONDS = 0.1

# A poll that tells of something is one, too, and only such polls have long rests: after another one
# the next begins in 25 ms. So they begin less than 250 ms apart, unless polls take longer than 50.
HEARTBEAT_SECONDS = 0.2

_PAGE = 5000  # payments; a poll that finds more takes several calls
_BACK_OFF = 1.25

_changes = msgspec.json.Decoder(list[tuple[int, Change]])  # with their ledger_id


class SecondLayer(Protocol):
    """What the relay wants of L2."""

    async def write(
        self, epoch: str, generation: str, changes: Sequence[tuple[int, Change]]
    ) -> bool:
        """False: some may be missing there. Gives up by itself: 50 ms for each 1,000, at most."""


def draw_generation(*, shared: bool) -> str:
    """A name for what L2 holds from now on; not `shared`: and nobody keeps it up to date."""
    return ("" if shared else UNSHARED) + secrets.token_hex(6)


class Pace:
    """How often polls begin."""

    def __init__(self) -> None:
        self._began = 0.0
        self._rate = 0.0  # payments a second
        self._takes = 0.0  # seconds

    def earliest(self, began: float, ended: float, payments: int) -> float:
        """When the next poll may begin after one that took from `began` to `ended`.

        `payments` is how many it found.
        """
        if (since := began - self._began) > 0:
            weight = min(1.0, since / _LATELY_SECONDS)
            self._rate += weight * (payments / since - self._rate)
            self._takes += weight * (ended - began - self._takes)
        self._began = began
        # Who found nothing tells of nothing: after a rest the next heartbeat would be too late.
        rest = REST_SECONDS_A_PAYMENT * self._rate * self._takes if payments else 0.0
        return began + min(max(rest, POLL_SECONDS), LONGEST_REST_SECONDS)


class Leader:
    """Leads with a lease that was taken for it, until it is lost."""

    def __init__(
        self,
        session: RelaySession,
        *,
        term: int,
        generation: str,
        second_layer: SecondLayer | None,
        counters: RelayCounters,
        wake: asyncio.Event,
    ) -> None:
        self._counters = counters
        self._generation = generation
        self._pace = Pace()
        self._second_layer = second_layer
        self._session = session
        self._term = term
        self._told_at = 0.0  # the beginning of the poll that sent the last heartbeat
        self._wake = wake

    async def lead(self) -> None:
        """Returns when another one has the lease, and raises what its session raises.

        A new term begins at the feed's end. What was posted before, and perhaps not told by the one
        that led then, is told by nobody: listeners drop what they have when they hear of a term,
        and its generation makes L2 start empty.
        """
        loop = asyncio.get_running_loop()
        cursor: str | None = None
        interval = POLL_SECONDS
        found = 0  # payments, by the pages of this poll so far
        while True:
            began = loop.time()
            began_monotonic = time.monotonic()
            page = await self._session.tell_changes(
                self._term,
                self._generation,
                cursor,
                _PAGE,
                heartbeat=began_monotonic - self._told_at >= HEARTBEAT_SECONDS,
            )
            self._counters.polls += 1
            if not page.leading:
                logger.warning("the relay's lease is lost", extra={"term": self._term})
                return
            cursor = page.cursor
            changes = _changes.decode(page.changes)
            found += page.payments
            self._note(page, found, len(changes), began_monotonic)
            await self._write(changes)
            if page.has_more:
                continue
            interval = POLL_SECONDS if changes else min(_BACK_OFF * interval, IDLE_POLL_SECONDS)
            earliest = self._pace.earliest(began, loop.time(), found)
            found = 0
            await self._pause(earliest, max(earliest, began + interval))

    async def _write(self, changes: Sequence[tuple[int, Change]]) -> None:
        """To L2, before anything else is told: until then those who heard of it look elsewhere.

        What L2 may have missed is left behind with its generation, which the next message says.
        """
        if not changes or self._second_layer is None:
            return
        try:
            written = await self._second_layer.write(self._session.epoch, self._generation, changes)
        except (OSError, RuntimeError):  # a timeout is an OSError
            written = False
        if not written:
            self._counters.l2_failures += 1
            self._generation = draw_generation(shared=True)
            self._counters.generation_changes += 1
            self._told_at = 0.0

    def _note(self, page: Told, found: int, changes: int, began: float) -> None:
        self._counters.payments_told += page.payments
        self._counters.changes_told += changes
        self._counters.notices_sent += page.messages
        self._counters.feed_lag_payments = found
        if not page.has_more:
            self._counters.told_up_to = began
            if page.messages:
                self._told_at = began
                self._counters.heartbeats_sent += 1

    async def _pause(self, earliest: float, latest: float) -> None:
        """Until the latest time for the next poll; until the earliest, if somebody wakes us."""
        try:
            async with asyncio.timeout_at(latest):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        if (rest := earliest - asyncio.get_running_loop().time()) > 0:
            await asyncio.sleep(rest)
