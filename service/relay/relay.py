"""Is the relay, or waits to be it. Every process has one of these; one among them all leads."""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from service.database.connections import DatabaseError
from service.database.relaying import relay_session
from service.errors import Problem, describe
from service.jitter import jittered
from service.relay.chores import Chores
from service.relay.counters import RelayCounters
from service.relay.leader import Leader, draw_generation

if TYPE_CHECKING:
    from service.database.relaying import RelaySession
    from service.relay.leader import SecondLayer

logger = logging.getLogger(__name__)

# How often whoever doesn't lead looks whether it should.
CANDIDATE_SECONDS = 0.25
_FAILURE_SECONDS = 0.5
_RELEASE_SECONDS = 1.0


class Relay:
    """`dsn` leads to the primary, past any pooler."""

    def __init__(self, dsn: str, *, second_layer: SecondLayer | None = None) -> None:
        self._dsn = dsn
        self._holder = secrets.token_hex(8)
        self._second_layer = second_layer
        self._wake = asyncio.Event()
        self.counters = RelayCounters()
        self.leader_term = 0  # of whoever led when we last looked
        self.problem: str | None = "has not begun yet"  # for /readyz; None: all is well

    @property
    def is_leading(self) -> bool:
        """Whether this process is the relay."""
        return bool(self.counters.leading)

    def wake(self) -> None:
        """There is something to tell: a payment of this process was posted."""
        self._wake.set()

    async def run(self) -> None:
        """Leads whenever nobody else does, until it is cancelled; never raises of itself."""
        while True:
            try:
                async with relay_session(self._dsn) as session:
                    # Whose feed cannot be read, after a restore for example, takes no lease.
                    await session.check_feed()
                    while True:
                        await self._lead_or_wait(session)
            except Problem as exc:
                self._failed(exc.code)
            except DatabaseError as exc:
                self._failed(str(exc))
            except Exception as exc:  # noqa: BLE001 -- the relay must not end before the process
                self._failed(f"defect: {type(exc).__name__}")
                logger.error("the relay failed", extra={"exception": describe(exc)})
            await asyncio.sleep(jittered(_FAILURE_SECONDS))

    async def _lead_or_wait(self, session: RelaySession) -> None:
        # Without an L2 of ours there may be one of others, which would miss everything.
        generation = draw_generation(shared=self._second_layer is not None)
        lease = await session.take_relay_lease(self._holder, generation)
        self.leader_term = lease.term
        if not lease.taken:
            self.problem = None
            await asyncio.sleep(jittered(CANDIDATE_SECONDS))
            return

        leader = Leader(
            session,
            term=lease.term,
            generation=generation,
            second_layer=self._second_layer,
            counters=self.counters,
            wake=self._wake,
        )
        chores = asyncio.create_task(Chores(self._dsn, self.counters).run())
        self.counters.take_overs += 1
        self.counters.generation_changes += 1
        self.counters.leading = 1
        self.counters.told_up_to = None
        self.problem = None
        logger.info("leads", extra={"term": lease.term})
        try:
            await leader.lead()
        finally:
            self.counters.leading = 0
            chores.cancel()
            await asyncio.gather(chores, return_exceptions=True)
            with suppress(DatabaseError, Problem, TimeoutError):
                async with asyncio.timeout(_RELEASE_SECONDS):
                    await session.release_relay_lease(lease.term)

    def _failed(self, problem: str) -> None:
        self.counters.relay_failures += 1
        if problem != self.problem:
            logger.warning("no relay here", extra={"cause": problem})
        self.problem = problem
