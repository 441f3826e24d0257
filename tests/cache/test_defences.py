"""Each defence is needed: without it, one of the races ends in a wrong answer.

What is taken away is taken away here, by replacing the piece of code that is the defence.
"""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

import pytest
import races

from service.cache import l2, wire
from service.cache.balances import BalanceCache
from service.cache.flights import Flights
from service.cache.l1 import L1
from service.cache.model import CachedBalance
from service.cache.recent import Recent
from service.cache.trust import Trust
from service.cache.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.caching import World
    from support.valkey import Valkey

    Patch = pytest.MonkeyPatch


def without_hearing_in_flight(patch: Patch) -> None:
    patch.setattr(Watch, "settle", lambda _, balance: balance)


def without_compare_and_set(patch: Patch) -> None:
    for name in ("FILL", "WRITE"):
        _script(patch, name, "return old > new or (old == new and #there > 19)", "return false")


def without_lease(patch: Patch) -> None:
    _script(patch, "FILL", "redis.call('GET', lease) == token", "true")


def without_generation(patch: Patch) -> None:
    adopt = Trust._adopt
    patch.setattr(Trust, "_adopt", lambda trust, _: adopt(trust, "always"))


def without_what_was_told_lately(patch: Patch) -> None:
    patch.setattr(Recent, "least", lambda *_: 0)


def without_resync(patch: Patch) -> None:
    patch.setattr(L1, "drop", lambda _: None)


def without_eras(patch: Patch) -> None:
    patch.setattr(BalanceCache, "_believes", lambda cache, _: cache._trust.is_live())


def without_epoch(patch: Patch) -> None:
    prefix = wire.balance_prefix
    patch.setattr(
        wire, "balance_prefix", lambda scope, run_id: prefix(scope._replace(epoch=""), run_id)
    )


def without_run_id(patch: Patch) -> None:
    prefix = wire.balance_prefix
    patch.setattr(wire, "balance_prefix", lambda scope, _: prefix(scope, ""))


def without_repeated_key(patch: Patch) -> None:
    def believing(_: bytes, code: str, value: bytes) -> CachedBalance:
        version, _at, currency, balance, held = value.decode().split(" ")
        return CachedBalance(code, currency, int(version), balance, held)

    patch.setattr(wire, "read_balance", believing)


def without_trust_at_read_time(patch: Patch) -> None:
    """Trust as a timer would have it: it goes when something runs that takes it away."""
    extend = Trust._extend

    def extended(trust: Trust, now: float, until: float) -> None:
        extend(trust, now, until)
        trust.live_until = math.inf

    patch.setattr(Trust, "_extend", extended)


def without_giving_up_after_a_gap(patch: Patch) -> None:
    hear = Trust.heard_heartbeat

    def hearing(trust: Trust, heartbeat: Any) -> bool:
        trust._heard_at = trust._clock()
        return hear(trust, heartbeat)

    patch.setattr(Trust, "heard_heartbeat", hearing)


def without_terms(patch: Patch) -> None:
    hear = Trust.heard_heartbeat
    patch.setattr(
        Trust, "heard_heartbeat", lambda trust, beat: hear(trust, beat._replace(term=trust.term))
    )


def without_the_rule_of_flights(patch: Patch) -> None:
    async def join(flights: Flights[Any, Any], key: Any, need: Any, arrived: int) -> Any:
        older = await flights.join_older(key)
        return await newer(flights, key, need, arrived) if older is None else older

    newer = Flights.join_newer
    patch.setattr(Flights, "join_newer", join)


def without_a_look_at_what_an_older_flight_brought(patch: Patch) -> None:
    patch.setattr(BalanceCache, "_serves", lambda *_: True)


def without_tokens(patch: Patch) -> None:
    peek = BalanceCache.peek
    patch.setattr(BalanceCache, "peek", lambda cache, key, *_: peek(cache, key))


def _script(patch: Patch, name: str, part: str, instead: str) -> None:
    script = getattr(wire, name)
    assert part.encode() in script
    script = script.replace(part.encode(), instead.encode())
    patch.setattr(wire, name, script)
    patch.setattr(l2, f"_{name}", hashlib.sha1(script).hexdigest())


NEEDED: list[tuple[Callable[[Patch], None], Any]] = [
    (without_hearing_in_flight, races.a_fill_is_overtaken_by_a_payment_of_this_process),
    (without_hearing_in_flight, races.a_fill_is_overtaken_by_a_payment_of_another_process),
    (without_compare_and_set, races.a_write_to_l2_arrives_after_a_newer_one),
    (without_lease, races.an_entry_of_l2_is_evicted_in_mid_fill),
    (without_generation, races.l2_misses_writes_for_a_while),
    (without_what_was_told_lately, races.what_was_told_is_not_yet_in_l2),
    (without_resync, races.the_listener_misses_a_payment),
    (without_eras, races.a_read_lands_after_the_listener_missed_a_payment),
    (without_epoch, races.two_databases_share_one_redis),
    (without_run_id, races.redis_is_restarted_with_old_data),
    (without_repeated_key, races.a_value_lies_under_the_key_of_another_account),
    (without_trust_at_read_time, races.a_process_is_stopped_and_continued),
    (without_giving_up_after_a_gap, races.the_connection_of_a_stopped_process_holds_a_whole_past),
    (without_terms, races.an_old_leader_wakes_up_late),
    (without_terms, races.a_payment_falls_between_two_leaders),
    (without_the_rule_of_flights, races.a_strong_reader_joins_an_older_flight),
    (
        without_a_look_at_what_an_older_flight_brought,
        races.a_reader_with_a_token_joins_an_older_flight,
    ),
    (without_tokens, races.a_write_on_one_worker_is_read_on_another_with_the_token),
]


@pytest.mark.parametrize(
    ("take_away", "race"),
    [
        pytest.param(take_away, race, id=f"{take_away.__name__}-{race.__name__}")
        for take_away, race in NEEDED
    ],
)
async def test_something_wrong_is_served(
    take_away: Callable[[Patch], None],
    race: Any,
    world: World,
    valkey: Valkey,
    monkeypatch: Patch,
) -> None:
    take_away(monkeypatch)
    await race(world, valkey)
    assert world.wrong != []
