"""Whether what is kept here may be believed, computed when it is asked.

LIVE: this process hears of every change. It does while heartbeats of the leading relay come in;
each tells that everything up to a moment has been told. A timer that declares them missing may
itself run late, after SIGCONT say, so none is used: each read compares the clock with `live_until`.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from service.cache.model import Scope

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.cache.counters import Counters

LIVE_SECONDS = 1.0

# Generations that were left; a notice that comes late must not bring one back.
_REMEMBERED = 64


class Heartbeat(Protocol):
    """What is read of a heartbeat."""

    @property
    def term(self) -> int: ...  # noqa: D102
    @property
    def epoch(self) -> str: ...  # noqa: D102
    @property
    def generation(self) -> str: ...  # noqa: D102
    @property
    def lsn(self) -> int: ...  # noqa: D102
    @property
    def lag_seconds(self) -> float: ...  # noqa: D102


class Trust:
    """One per process. SUSPECT until the first heartbeat on a connection that LISTENs.

    Every return to LIVE begins an era. What was kept in the one before is dropped, and what was
    read in it is not kept: between the two, nobody told this process of changes.
    """

    __slots__ = (
        "_clock",
        "_connected",
        "_counters",
        "_heard_at",
        "_left",
        "_on_live",
        "_suspect_before",
        "epoch",
        "era",
        "live_until",
        "lsn",
        "must_reconnect",
        "scope",
        "term",
    )

    def __init__(self, counters: Counters, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._connected = False
        self._counters = counters
        self._heard_at = clock()
        self._left: deque[str] = deque(maxlen=_REMEMBERED)
        self._on_live: list[Callable[[], None]] = []
        self._suspect_before = 0.0
        self.epoch: str | None = None
        self.era = 0
        self.live_until = self._heard_at
        self.lsn = 0
        self.must_reconnect = False  # only a new connection can win trust back
        self.scope: Scope | None = None
        self.term = 0

    @property
    def generation(self) -> str | None:
        """The relay's, whose L2 writes have all arrived, but for the last message's."""
        return self.scope.generation if self.scope else None

    def is_live(self) -> bool:
        """Computed now."""
        return self._clock() < self.live_until

    def on_live(self, drop: Callable[[], None]) -> None:
        """Call `drop` at every return to LIVE: what is kept is then of unknown age."""
        self._on_live.append(drop)

    def suspect_seconds(self) -> float:
        """How long, in all, nothing here could be believed."""
        return self._suspect_before + max(0.0, self._clock() - self.live_until)

    # -- told by the listener ---------------------------------------------------------------------

    def connected(self, epoch: str) -> None:
        """A new connection has committed its LISTEN, so nothing older can arrive on it.

        `epoch` was read on it. A connection ends with the server it leads to, so it has one epoch.
        """
        self._suspect()
        if epoch != self.epoch:  # another history: its terms and positions begin anew
            self.epoch = epoch
            self.scope = None
            self.term = 0
            self.lsn = 0
        self._connected = True
        self._heard_at = self._clock()
        self.must_reconnect = False

    def lost(self) -> None:
        """The listener's connection is gone, or was given up."""
        self._connected = False
        self._suspect()

    def heard_notice(self, term: int, epoch: str, generation: str) -> bool:
        """Whether the changes that come with it may be applied.

        Call it before they are. A generation is in force from the first notice that names it: the
        relay draws one when L2 has missed changes that it has told.
        """
        if not self._connected or epoch != self.epoch or term < self.term:
            self._counters.notices_ignored += 1
            return False
        if term > self.term:  # what the old leader did not tell, nobody did
            self._suspect()
            self.term = term
        self._adopt(generation)
        return True

    def heard_heartbeat(self, heartbeat: Heartbeat) -> bool:
        """False: ignored, as it is an older leader's, late, or comes after a gap.

        After a gap (this process was stopped, say) the connection may hold a whole past,
        heartbeats and all. Read late they would be believed, and with them the generation of then,
        whose L2 has missed everything since. On such a connection nothing tells old from new, so it
        is given up: `must_reconnect`.
        """
        now = self._clock()
        ordered = (heartbeat.term, heartbeat.lsn) >= (self.term, self.lsn)
        if not self._connected or heartbeat.epoch != self.epoch or not ordered:
            self._counters.notices_ignored += 1
            return False
        if self.must_reconnect or now - self._heard_at >= LIVE_SECONDS:
            self.must_reconnect = True
            self._suspect()
            return False

        if heartbeat.term > self.term:
            self._suspect()
        self.term = heartbeat.term
        self.lsn = heartbeat.lsn
        self._adopt(heartbeat.generation)
        self._heard_at = now
        self._extend(now, now + LIVE_SECONDS - heartbeat.lag_seconds)
        return True

    # -- told by whoever reads --------------------------------------------------------------------

    def refuses(self, epoch: str) -> bool:
        """Whether a connection leads to another history than the listener's, which was believed.

        One of the two is of the past, and who can say which: SUSPECT, until the listener has
        connected anew. From then on it refuses nothing: the database goes on answering, and each
        answer names its epoch.
        """
        if epoch == self.epoch or not self.is_live():
            return False
        self.must_reconnect = True
        self._suspect()
        return True

    def _extend(self, now: float, until: float) -> None:
        returns = now >= self.live_until
        if until <= now:
            self._suspect()  # the relay is behind: what it told is too old
            return
        if returns:
            self._suspect_before += now - self.live_until
            self.era += 1
            self._counters.trust_won += 1
            for drop in self._on_live:
                drop()
        self.live_until = until

    def _suspect(self) -> None:
        now = self._clock()
        if now < self.live_until:
            self.live_until = now
            self._counters.trust_lost += 1

    def _adopt(self, generation: str) -> None:
        if self.epoch is None or generation == self.generation or generation in self._left:
            return
        if self.scope is not None:
            self._left.append(self.scope.generation)
        self.scope = Scope(self.epoch, generation)
