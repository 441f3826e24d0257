"""The leader's loop, step by step: what it reads, writes and tells is given and noted here."""

from __future__ import annotations

import asyncio
import json
import selectors
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.cache.model import Change, Scope
from service.database.connections import DatabaseError
from service.database.relaying import RelaySession, Told
from service.relay import leader
from service.relay.counters import RelayCounters

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EPOCH = "0123456789ab"


def page(cursor: str, *accounts: str, has_more: bool = False) -> Told:
    """A page in which each of these came to version 1."""
    changes = [(1, Change(account, 1, "USD", "5", "0")) for account in accounts]
    return Told(True, cursor, has_more, len(changes), msgspec.json.encode(changes).decode(), 0)


def codes_of(page: Told) -> list[str]:
    return [change[0] for _, change in json.loads(page.changes)]


class Heard(NamedTuple):
    """A message to the listeners."""

    generation: str
    codes: list[str]
    heartbeat: bool


class EndError(Exception):
    """The story is told."""


@dataclass
class Session:
    """Gives pages and tells of them, as the database does; `leads` False: the lease is lost."""

    pages: list[Told]
    log: list[str] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    leads: bool = True
    epoch: str = EPOCH
    first_told: asyncio.Event = field(default_factory=asyncio.Event)

    async def tell_changes(
        self, term: int, generation: str, cursor: str | None, limit: int, *, heartbeat: bool
    ) -> Told:
        if not self.pages:
            raise EndError
        assert (term, limit) == (3, 5000)
        page = self.pages.pop(0)
        if not page.payments and (page.has_more or not heartbeat):
            self.log.append(f"read {cursor}")
            return page
        self.log.append(f"tell {cursor}")
        if not self.leads:
            return page._replace(leading=False)
        self.heard.append(Heard(generation, codes_of(page), not page.has_more))
        self.first_told.set()
        return page._replace(messages=1)


@dataclass
class L2:
    """Notes what is written, and ends each write as told: True, False, an error."""

    session: Session
    ends: list[bool | type[Exception]]
    scopes: list[Scope] = field(default_factory=list)

    async def write(
        self, epoch: str, generation: str, changes: Sequence[tuple[int, Change]]
    ) -> bool:
        self.session.log.append("l2 " + " ".join(change.code for _, change in changes))
        self.scopes.append(Scope(epoch, generation))
        end = self.ends.pop(0)
        if isinstance(end, type):
            raise end
        return bool(end)


async def lead(
    session: Session, l2: L2 | None, counters: RelayCounters | None = None
) -> RelayCounters:
    counters = counters or RelayCounters()
    led = leader.Leader(
        cast(RelaySession, session),
        term=3,
        generation="first",
        second_layer=l2,
        counters=counters,
        wake=asyncio.Event(),
    )
    try:
        await led.lead()
    except EndError:
        session.log.append("end")
    return counters


async def test_l2_is_written_after_all_are_told_and_before_they_are_told_more() -> None:
    session = Session([page("c1"), page("c2", "a", "b"), page("c3", "c")])
    l2 = L2(session, [True, True])
    await lead(session, l2)
    told = ["tell None", "tell c1", "l2 a b", "tell c2", "l2 c", "end"]
    assert session.log == told
    assert l2.scopes == [Scope(EPOCH, "first")] * 2
    assert {notice.generation for notice in session.heard} == {"first"}


async def test_a_term_begins_with_a_heartbeat_from_the_end_of_the_feed() -> None:
    session = Session([page("c1")])
    await lead(session, None)
    assert session.log == ["tell None", "end"]
    assert session.heard == [Heard("first", [], heartbeat=True)]


@pytest.mark.parametrize("end", [False, OSError, RuntimeError], ids=repr)
async def test_what_l2_may_have_missed_is_left_behind_with_its_generation(
    end: bool | type[Exception],
) -> None:
    session = Session([page("c1"), page("c2", "a"), page("c3"), page("c4", "b")])
    l2 = L2(session, [end, True])
    counters = await lead(session, l2)
    generations = [notice.generation for notice in session.heard]
    assert generations[:2] == ["first", "first"]
    # Told at once, though nothing has changed and no heartbeat is due.
    assert generations[2] not in ("first", "")
    assert not session.heard[2].codes
    assert generations[3] == generations[2]
    assert [scope.generation for scope in l2.scopes] == ["first", generations[2]]
    assert (counters.l2_failures, counters.generation_changes) == (1, 1)


async def test_without_an_l2_of_its_own_the_generation_stays_and_is_nobody_s() -> None:
    session = Session([page("c1"), page("c2", "a"), page("c3"), page("c4", "b")])
    counters = await lead(session, None)
    assert {notice.generation for notice in session.heard} == {"first"}
    assert (counters.l2_failures, counters.generation_changes) == (0, 0)
    assert not Scope(EPOCH, leader.draw_generation(shared=False)).shared
    assert Scope(EPOCH, leader.draw_generation(shared=True)).shared


async def test_pages_of_a_window_wait_until_the_last_one_is_told() -> None:
    session = Session(
        [page("c1"), page("c2", "a", has_more=True), page("c3", "b", has_more=True), page("c4")]
    )
    counters = RelayCounters()
    await lead(session, L2(session, [True, True]), counters)
    assert [notice.heartbeat for notice in session.heard] == [True, False, False]
    assert counters.heartbeats_sent == 1
    assert counters.feed_lag_payments == 2, "two were waiting"
    assert (counters.payments_told, counters.changes_told, counters.polls) == (2, 2, 4)


async def test_nothing_is_told_of_nothing_until_a_heartbeat_is_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leader, "HEARTBEAT_SECONDS", 3600.0)
    session = Session([page("c1", "a"), page("c2"), page("c3")])
    await lead(session, L2(session, [True]))
    assert session.log == ["tell None", "l2 a", "read c1", "read c2", "end"]
    monkeypatch.setattr(leader, "HEARTBEAT_SECONDS", 0.0)
    session = Session([page("c1"), page("c2"), page("c3")])
    counters = await lead(session, None)
    assert [notice.heartbeat for notice in session.heard] == [True] * 3
    assert counters.heartbeats_sent == 3


async def test_who_has_lost_the_lease_leads_no_longer() -> None:
    session = Session([page("c1", "a"), page("c2")], leads=False)
    counters = await lead(session, L2(session, []))
    assert session.log == ["tell None"]
    assert (counters.payments_told, counters.heartbeats_sent) == (0, 0)


async def test_what_could_not_be_told_ends_the_term() -> None:
    """There is no cursor past it."""

    class Broken(Session):
        async def tell_changes(self, *_: Any, **__: Any) -> Told:
            self.log.append("fail")
            raise DatabaseError("lost")

    session = Broken([])
    with pytest.raises(DatabaseError):
        await lead(session, L2(session, []))
    assert session.log == ["fail"]


class Polls:
    """Polls one after another, each begun when it may: how long after the one before, in ms."""

    def __init__(self) -> None:
        self.pace = leader.Pace()
        self.began = 7.0
        self.after = 0.0

    def next(self, *, took_ms: float, payments_a_second: float, rounds: int = 1) -> float:
        for _ in range(rounds):
            begins = self.pace.earliest(
                self.began,
                self.began + took_ms / 1000,
                round(payments_a_second * self.after),
            )
            self.after = begins - self.began
            self.began = begins
        return self.after * 1000


@pytest.mark.parametrize(
    ("took_ms", "payments_a_second", "rest_ms"),
    [
        (2, 0, 5),
        (2000, 0, 5),
        (2, 1000, 5),
        (4, 1000, 8),
        (8, 1000, 16),
        (8, 4000, 64),
        (20, 4000, 160),
        (1, 150_000, 200),
    ],
)
def test_polls_rest_by_what_is_posted_while_they_take_their_time(
    took_ms: float, payments_a_second: int, rest_ms: float
) -> None:
    polls = Polls()
    rest = polls.next(took_ms=took_ms, payments_a_second=payments_a_second, rounds=200)
    assert rest == pytest.approx(rest_ms, rel=0.1)


def test_a_single_slow_poll_is_not_followed_by_a_rest_of_its_measure() -> None:
    polls = Polls()
    before = polls.next(took_ms=4, payments_a_second=1000, rounds=200)
    assert polls.next(took_ms=50, payments_a_second=1000) < 2 * before
    after = polls.next(took_ms=4, payments_a_second=1000, rounds=50)
    assert after == pytest.approx(before, rel=0.1)


def test_after_a_burst_polls_soon_come_as_often_as_before() -> None:
    polls = Polls()
    assert polls.next(took_ms=20, payments_a_second=8000, rounds=50) == pytest.approx(200)
    burst_ended = polls.began
    assert polls.next(took_ms=2, payments_a_second=0) == pytest.approx(5)
    assert polls.began - burst_ended == pytest.approx(0.005)


def test_a_slow_poll_that_finds_nothing_is_followed_by_the_next_at_once() -> None:
    """It is no heartbeat: a rest after it, and one before it, would keep the next one too long."""
    polls = Polls()
    assert polls.next(took_ms=4, payments_a_second=9000, rounds=200) == pytest.approx(72, rel=0.1)
    assert polls.next(took_ms=50, payments_a_second=0) == pytest.approx(5)


class Clock(selectors.DefaultSelector):
    """What a loop waits with. It waits no time at all, and says that it was as long as asked."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class Poll(NamedTuple):
    """`wakes`: meanwhile a payment of this process is answered."""

    took_ms: int
    payments: int
    wakes: bool


POLLS = st.builds(
    Poll,
    took_ms=st.sampled_from([0, 1, 2, 5, 20, 50]),
    payments=st.sampled_from([0, 0, 0, 1, 20, 500, 2000, 5000]),
    wakes=st.booleans(),
)


class Polled(Session):
    """Notes when the polls begin that send a heartbeat."""

    def __init__(self, polls: Iterable[Poll], wake: asyncio.Event) -> None:
        super().__init__([])
        self.began: list[float] = []
        self._polls = iter(polls)
        self._wake = wake

    async def tell_changes(self, *_: Any, heartbeat: bool) -> Told:
        if (poll := next(self._polls, None)) is None:
            raise EndError
        if poll.payments or heartbeat:
            self.began.append(asyncio.get_running_loop().time())
        await asyncio.sleep(poll.took_ms / 1000)
        if poll.wakes:
            self._wake.set()
        found = page("c", "a") if poll.payments else page("c")
        return found._replace(payments=poll.payments, messages=int(heartbeat or poll.payments > 0))


@settings(deadline=None)
@given(polls=st.lists(POLLS, min_size=1, max_size=60))
@example(polls=[Poll(2, n, wakes=True) for n in (0, 2000)] + [Poll(50, 0, wakes=True)] * 9)
def test_heartbeats_begin_less_than_250_ms_apart_whatever_polls_find(polls: list[Poll]) -> None:
    clock = Clock()
    loop = asyncio.SelectorEventLoop(clock)
    wake = asyncio.Event()
    session = Polled(polls, wake)
    led = leader.Leader(
        cast(RelaySession, session),
        term=3,
        generation="g",
        second_layer=None,
        counters=RelayCounters(),
        wake=wake,
    )
    with (
        closing(loop),
        patch.object(loop, "time", lambda: clock.now),
        patch.object(leader, "time", SimpleNamespace(monotonic=lambda: clock.now)),
        suppress(EndError),
    ):
        loop.run_until_complete(led.lead())
    assert all(after - before < 0.25 for before, after in pairwise(session.began))


async def test_a_poll_of_two_pages_counts_the_payments_of_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[int] = []

    class Counted(leader.Pace):
        def earliest(self, began: float, ended: float, payments: int) -> float:
            found.append(payments)
            return super().earliest(began, ended, payments)

    monkeypatch.setattr(leader, "Pace", Counted)
    session = Session([page("c1", "a", has_more=True), page("c2", "b", "c"), page("c3", "a")])
    await lead(session, L2(session, [True, True, True]))
    assert found == [3, 1]


async def test_a_payment_of_this_process_wakes_an_idle_leader(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leader, "IDLE_POLL_SECONDS", 3600.0)
    monkeypatch.setattr(leader, "_BACK_OFF", 1e9)
    wake = asyncio.Event()
    session = Session([page("c1"), page("c2", "a")])
    led = leader.Leader(
        cast(RelaySession, session),
        term=3,
        generation="g",
        second_layer=L2(session, [True]),
        counters=RelayCounters(),
        wake=wake,
    )
    leading = asyncio.ensure_future(led.lead())
    await session.first_told.wait()
    wake.set()
    with pytest.raises(EndError):
        await leading
    assert session.log == ["tell None", "tell c1", "l2 a"]
    assert not wake.is_set(), "it would sleep again"


def test_its_numbers_can_be_listed_and_the_lag_counts_only_while_it_leads() -> None:
    counters = RelayCounters(told_up_to=0.0)
    assert dict(counters)["feed_lag_seconds"] == 0.0
    counters.leading = 1
    listed = dict(counters)
    assert listed["feed_lag_seconds"] > 0
    assert "told_up_to" not in listed
    assert listed["leading"] == 1
