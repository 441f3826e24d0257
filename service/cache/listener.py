"""Hears the relay: what changed goes to the cache, heartbeats go to trust.

One a process. Its connection may end, be silent, or hold a whole past that arrives at once; all
three are told to trust, and the connection is made anew until it works again.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, fields
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from service.cache import notices
from service.database.connections import DatabaseError
from service.database.listening import Clock, Listening, listening
from service.jitter import jittered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from service.cache.model import Change
    from service.cache.trust import Trust

logger = logging.getLogger(__name__)

# How often the clocks are compared. A server that is gone without a word is found so, too.
_CLOCK_SECONDS = 2.0
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0

# A comparison this good replaces any other; a worse one only a worse one.
_GOOD_DOUBT = 0.025


@dataclass(slots=True)
class ListenerCounters:
    """Of one process, since it began."""

    connected: int = 0  # 1: there is a connection that listens
    connections: int = 0  # made, in all
    notices: int = 0
    heartbeats: int = 0
    changes: int = 0
    forged: int = 0  # messages without the right HMAC

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Every counter by name."""
        for field in fields(self):
            yield field.name, getattr(self, field.name)


class Listener:
    """`heard` is called with a ledger and what changed in it."""

    def __init__(
        self,
        dsn: str,
        *,
        trust: Trust,
        heard: Callable[[int, Iterable[Change]], None],
    ) -> None:
        self._clock: Clock | None = None
        self._current: Listening | None = None
        self._dsn = dsn
        self._heard = heard
        self._hears_whole = False  # all parts of each message: after the end of one
        self._trust = trust
        self.counters = ListenerCounters()
        self.problem: str | None = "has not connected yet"  # for /readyz; None: it listens

    @property
    def is_listening(self) -> bool:
        """Whether there is a connection that listens."""
        return self._current is not None

    async def run(self) -> None:
        """Listens until it is cancelled; never raises of itself."""
        pause = _FIRST_PAUSE
        while True:
            try:
                async with listening(self._dsn, self._hear) as connection:
                    clock = await connection.read_clock()
                    self._begin(connection, clock)
                    pause = _FIRST_PAUSE
                    await self._follow(connection)
                    self._note("the listening connection has ended")
            except DatabaseError as exc:
                self._note(str(exc))
            finally:
                self._current = None
                self.counters.connected = 0
                self._trust.lost()
            await asyncio.sleep(jittered(pause))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _begin(self, connection: Listening, clock: Clock) -> None:
        """Only now is anything heard: what came before waits for the next heartbeat."""
        self._clock = clock
        self._current = connection
        self._hears_whole = False
        self._trust.connected(connection.epoch)
        self.counters.connected = 1
        self.counters.connections += 1
        self.problem = None

    async def _follow(self, connection: Listening) -> None:
        while not await connection.ended(_CLOCK_SECONDS):
            clock = await connection.read_clock()
            if self._clock is None or clock.doubt <= max(_GOOD_DOUBT, self._clock.doubt):
                self._clock = clock

    def _hear(self, connection: Listening, payload: str) -> None:
        if connection is not self._current or self._clock is None:
            return
        notice = notices.decode(payload, connection.secret)
        if notice is None:
            self.counters.forged += 1
            return
        self.counters.notices += 1
        if not self._trust.heard_notice(notice.term, notice.epoch, notice.generation):
            return

        self.counters.changes += len(notice.changes)
        for ledger_id, changes in groupby(notice.changes, itemgetter(0)):
            self._heard(ledger_id, [change for _, change in changes])

        if notice.heartbeat is not None and not self._hears_whole:
            # The last part of a message whose first parts may have come too early for us: L2 may
            # not have them yet. By the next message it has.
            self._hears_whole = True
        elif notice.heartbeat is not None:
            # Its age counts from the poll, by one clock: a message that was kept back, by a stopped
            # process or by somebody who sends it again, is as old as what it tells of.
            age = max(0.0, self._clock.now() - notice.read_at)
            self._trust.heard_heartbeat(notice.heartbeat._replace(lag_seconds=age))
            self.counters.heartbeats += 1
            if self._trust.must_reconnect:
                connection.end()

    def _note(self, problem: str) -> None:
        if problem != self.problem:
            logger.warning("not listening", extra={"cause": problem})
        self.problem = problem
