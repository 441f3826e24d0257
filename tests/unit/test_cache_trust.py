"""When what is kept may be believed."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from support.clock import Clock

from service.cache.counters import Counters
from service.cache.model import Scope
from service.cache.trust import LIVE_SECONDS, Trust


class Heartbeat(NamedTuple):
    term: int = 1
    epoch: str = "e1"
    generation: str = "g1"
    lsn: int = 100
    lag_seconds: float = 0.0


class Listening:
    """A Trust whose listener is connected, and how often what is kept was dropped."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.counters = Counters()
        self.dropped = 0
        self.trust = Trust(self.counters, clock=self.clock)
        self.trust.on_live(self._drop)

    def _drop(self) -> None:
        self.dropped += 1

    def beat(self, heartbeat: Heartbeat | None = None) -> bool:
        return self.trust.heard_heartbeat(heartbeat or Heartbeat())


@pytest.fixture
def at() -> Listening:
    at = Listening()
    at.trust.connected("e1")
    return at


def test_nothing_is_believed_before_the_first_heartbeat(at: Listening) -> None:
    assert not at.trust.is_live()
    assert at.trust.generation is None


def test_the_first_heartbeat_makes_it_live_and_drops_what_was_kept(at: Listening) -> None:
    assert at.beat()
    assert at.trust.is_live()
    assert (at.trust.era, at.dropped) == (1, 1)
    assert at.trust.scope == Scope("e1", "g1")


def test_while_it_is_live_heartbeats_drop_nothing(at: Listening) -> None:
    for lsn in range(100, 110):
        assert at.beat(Heartbeat(lsn=lsn))
        at.clock.pass_(0.9)
        assert at.trust.is_live()
    assert at.dropped == 1


def test_silence_ends_it_at_the_moment_of_the_look_without_any_timer(at: Listening) -> None:
    at.beat()
    at.clock.pass_(LIVE_SECONDS - 0.001)
    assert at.trust.is_live()
    at.clock.pass_(0.001)
    assert not at.trust.is_live()


def test_after_a_gap_only_a_new_connection_wins_it_back(at: Listening) -> None:
    at.beat()
    at.clock.pass_(LIVE_SECONDS)
    assert not at.beat(Heartbeat(lsn=200))
    assert at.trust.must_reconnect
    assert not at.trust.is_live()
    assert not at.beat(Heartbeat(lsn=201))

    at.trust.lost()
    at.trust.connected("e1")
    assert not at.trust.must_reconnect
    assert at.beat(Heartbeat(lsn=202))
    assert at.trust.is_live()
    assert at.dropped == 2


def test_a_first_heartbeat_that_comes_late_may_have_waited_in_the_connection(at: Listening) -> None:
    at.clock.pass_(LIVE_SECONDS)
    assert not at.beat()
    assert at.trust.must_reconnect


def test_a_lost_connection_ends_it_at_once(at: Listening) -> None:
    at.beat()
    at.trust.lost()
    assert not at.trust.is_live()
    assert not at.beat(Heartbeat(lsn=101)), "what came on the lost connection counts no more"


def test_a_new_leader_drops_what_was_kept_even_without_a_gap(at: Listening) -> None:
    at.beat()
    assert at.beat(Heartbeat(term=2, generation="g2", lsn=101))
    assert at.trust.is_live()
    assert (at.trust.era, at.dropped, at.trust.generation) == (2, 2, "g2")


def test_a_new_leaders_first_notice_makes_it_suspect_until_its_heartbeat(at: Listening) -> None:
    at.beat()
    assert at.trust.heard_notice(2, "e1", "g2")
    assert not at.trust.is_live()
    assert not at.beat(Heartbeat(term=1, lsn=500)), "the old leader woke up late"
    assert at.beat(Heartbeat(term=2, generation="g2", lsn=500))
    assert at.trust.is_live()


def test_an_old_leader_is_ignored(at: Listening) -> None:
    at.beat(Heartbeat(term=2, generation="g2"))
    assert not at.beat(Heartbeat(term=1, lsn=999))
    assert not at.trust.heard_notice(1, "e1", "g1")
    assert at.trust.generation == "g2"
    assert at.counters.notices_ignored == 2


def test_a_heartbeat_heard_again_after_a_newer_one_is_ignored(at: Listening) -> None:
    at.beat(Heartbeat(lsn=200))
    at.clock.pass_(0.9)
    assert not at.beat(Heartbeat(lsn=199))
    at.clock.pass_(0.1)
    assert not at.trust.is_live()


def test_a_notice_brings_its_generation_into_force_and_none_comes_back(at: Listening) -> None:
    at.beat()
    assert at.trust.heard_notice(1, "e1", "g2")
    assert at.trust.generation == "g2"
    assert at.trust.heard_notice(1, "e1", "g1")
    assert at.trust.generation == "g2"
    assert at.dropped == 1, "what was told in time stays"


def test_what_another_history_tells_is_ignored(at: Listening) -> None:
    at.beat()
    assert not at.trust.heard_notice(9, "e2", "g9")
    assert not at.beat(Heartbeat(term=9, epoch="e2"))
    assert at.trust.is_live()


def test_a_new_history_begins_with_terms_and_positions_of_its_own(at: Listening) -> None:
    at.beat(Heartbeat(term=7, lsn=700))
    at.trust.lost()
    at.trust.connected("e2")
    assert at.trust.generation is None
    assert at.beat(Heartbeat(term=1, epoch="e2", generation="g1", lsn=5))
    assert at.trust.is_live()
    assert at.trust.scope == Scope("e2", "g1")


def test_a_relay_that_is_behind_is_believed_for_less(at: Listening) -> None:
    at.beat(Heartbeat(lag_seconds=0.7))
    at.clock.pass_(0.3)
    assert not at.trust.is_live()
    assert at.beat(Heartbeat(lag_seconds=1.5)), "it is no gap"
    assert not at.trust.is_live()
    assert at.beat(Heartbeat(lag_seconds=0.1))
    assert at.trust.is_live()
    assert at.dropped == 2


def test_a_connection_to_another_history_ends_it(at: Listening) -> None:
    at.beat()
    assert not at.trust.refuses("e1")
    assert at.trust.refuses("e2")
    assert not at.trust.is_live()
    assert at.trust.must_reconnect
    assert not at.trust.refuses("e2"), "reads go on, each under its own epoch"


def test_the_seconds_without_trust_add_up(at: Listening) -> None:
    at.clock.pass_(0.5)
    assert at.trust.suspect_seconds() == pytest.approx(0.5)
    at.beat()
    at.clock.pass_(1.0 + 3.0)
    assert at.trust.suspect_seconds() == pytest.approx(3.5)
    at.trust.connected("e1")
    at.beat(Heartbeat(lsn=101))
    at.clock.pass_(0.5)
    assert at.trust.suspect_seconds() == pytest.approx(3.5)
    at.trust.lost()
    at.clock.pass_(2.0)
    assert at.trust.suspect_seconds() == pytest.approx(5.5)
