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
def valkey() -> Iterator[Valkey]:
    """For the tests that kill it."""
    valkey = Valkey().start()
    yield valkey
    valkey.close()


@pytest.fixture
async def world(ledger: Ledger, shared_valkey: Valkey) -> World:
    """A ledger with the account `a` at version 1."""
    await ledger.open("a")
    world = World(ledger, shared_valkey.url)
    await world.pay("a", 100)
    return world
