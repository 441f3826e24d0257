"""Every race of the cache, in the one order of events that matters, and nothing wrong is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from races import RACES

if TYPE_CHECKING:
    from support.caching import World
    from support.valkey import Valkey


@pytest.mark.parametrize("race", RACES, ids=lambda race: race.__name__)
async def test_nothing_wrong_is_served_when(race: Any, world: World, valkey: Valkey) -> None:
    await race(world, valkey)
    assert world.wrong == []
