"""For the cache's tests: a real PostgreSQL, a real Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.caching import World
from support.valkey import Valkey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.payments import Ledger


@pytest.fixture(scope="session")
def shared_valkey() -> Iterator[Valkey]:
    """For the tests that leave it alone: each has a ledger of its own, so keys of its own."""
    valkey = Valkey().start()
    yield valkey
    valkey.close()


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """For the tests that do not."""
    valkey = Valkey().start()
    yield valkey
    valkey.close()


@pytest.fixture
def valkey(request: pytest.FixtureRequest) -> Valkey:
    """Its own for a test whose parameter says so."""
    race = request.node.callspec.params.get("race") if hasattr(request.node, "callspec") else None
    own = race is None or race.__name__.startswith("redis_")
    valkey: Valkey = request.getfixturevalue("own_valkey" if own else "shared_valkey")
    return valkey


@pytest.fixture
async def world(ledger: Ledger, valkey: Valkey) -> World:
    """A ledger with the account `a` at version 1."""
    await ledger.open("a")
    world = World(ledger, valkey.url)
    await world.pay("a", 100)
    return world
