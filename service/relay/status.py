"""How the cache of this process is, for /readyz; payments are posted whatever it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from service.ledger.readiness import Check

if TYPE_CHECKING:
    from service.cache.l2 import L2
    from service.cache.listener import Listener
    from service.cache.trust import Trust
    from service.relay.relay import Relay

_CODE = re.compile(r"[a-z_]+")  # of an error; other texts may hold addresses, and are in the log


class Status:
    """What it looks at tells of itself: nothing is asked for."""

    def __init__(self, trust: Trust, listener: Listener, relay: Relay, l2: L2 | None) -> None:
        self._trust = trust
        self._listener = listener
        self._relay = relay
        self._l2 = l2

    def checks(self) -> list[Check]:
        """Whether reads are answered from near, and if not, why."""
        live = self._trust.is_live()
        detail = "live" if live else f"reads ask PostgreSQL: {self._reason()}"
        return [Check("cache", live, detail, needed=False), self._second_layer()]

    def _reason(self) -> str:
        if self._relay.problem is not None and _CODE.fullmatch(self._relay.problem):
            return self._relay.problem  # feed_history_changed, say, until somebody acts
        if not self._listener.is_listening:
            return "there is no connection that listens"
        if self._relay.problem is not None:
            return "the relay cannot work, see the log"
        return "no heartbeat of the relay is heard"

    def _second_layer(self) -> Check:
        ok, detail = True, "in use"
        if self._l2 is None:
            detail = "none: the first cache layer is the only one"
        elif self._l2.breaker.is_open:
            ok, detail = False, "does not answer as it should, and is left out"
        elif self._l2.breaker.is_failing:
            ok, detail = False, "did not answer as it should when it was last asked"
        return Check("redis", ok, detail, needed=False)
