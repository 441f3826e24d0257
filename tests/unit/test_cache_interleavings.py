"""Whatever happens in whatever order, nothing that is served is wrong."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.interleaving import System

# What happens often stands here often.
EVENTS = [
    *["step"] * 24,
    *["read"] * 16,
    *["all_is_well"] * 8,
    *["poll", "deliver", "deliver_all"] * 4,
    *["post_by_psql", "post_by_worker", "time"] * 4,
    *["read_strongly", "read_with_token", "evict"] * 2,
    *["deliver_strangely", "listen", "lose_listener", "new_leader"],
    *["restart_worker", "save", "restart_redis", "restore"],
]

_events = st.lists(
    st.tuples(st.sampled_from(EVENTS), st.integers(0, 11), st.integers(0, 11)),
    min_size=20,
    max_size=150,
)


async def run(events: list[tuple[str, int, int]], *, faithful: bool) -> System:
    system = System(faithful=faithful)
    for worker in (0, 1):  # as it is most of the time
        system.listen(worker, 0)
    system.poll(0, 0)
    await system.settle()
    for worker in (0, 1):
        system.deliver_all(worker, 0)
    for name, one, two in events:
        getattr(system, name)(one, two)
        await system.settle()
    await system.end()
    return system


@pytest.mark.parametrize("faithful", [True, False], ids=["connections", "strange connections"])
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=_events)
def test_no_version_below_the_token_and_none_that_the_ledger_does_not_have(
    faithful: bool, events: list[tuple[str, int, int]]
) -> None:
    system = asyncio.run(run(events, faithful=faithful))
    assert system.wrong == []
