"""The carrier, on a pool that plays a part: what is repeated, and what is said in the end."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import asyncpg
import pytest

from service.errors import Problem
from service.ledger.carrier import Carrier

DEADLINE = 0.5
REFUSED = ConnectionRefusedError()
LOST = asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
ROWS = [(1,)]


def said(sqlstate: str, **attributes: Any) -> asyncpg.PostgresError:
    """An error of the server's."""
    fields = {"C": sqlstate, "S": "ERROR", "M": "some text", "V": "ERROR"}
    error = asyncpg.PostgresError.new(fields)
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


class Actor:
    """A pool and its connection: gives one thing of the script after another, the last for ever."""

    def __init__(self, *script: object) -> None:
        self.script = list(script)
        self.attempts = 0
        self.in_use = 0
        self.listeners: list[Any] = []
        self.ended = 0

    async def acquire(self, *, timeout: float) -> Actor:  # noqa: ASYNC109 -- asyncpg's
        assert timeout > 0
        if self.script[0] is REFUSED:
            raise self._next()
        self.in_use += 1
        return self

    async def release(self, _connection: object) -> None:
        assert not self.listeners
        self.in_use -= 1

    def add_log_listener(self, listener: Any) -> None:
        self.listeners.append(listener)

    def remove_log_listener(self, listener: Any) -> None:
        self.listeners.remove(listener)

    def is_closed(self) -> bool:
        return self.ended > 0

    def abandon(self, _connection: object) -> None:
        self.ended += 1

    async def fetch(self, *_: object) -> object:
        self.attempts += 1
        turn = self._next()
        if isinstance(turn, BaseException):
            raise turn
        if isinstance(turn, str):  # a warning beside the answer
            for listener in self.listeners:
                listener(self, said(turn))
            return ROWS
        return turn

    def _next(self) -> Any:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


async def carry(actor: Actor, *, writes: bool = True) -> Any:
    carrier = Carrier(cast("Any", actor), deadline_seconds=DEADLINE, writes=writes)
    try:
        carried = await carrier.carry("select * from ledger.f($1)", (1,))
    except Problem as problem:
        return problem.code
    finally:
        assert actor.in_use == 0
    assert carried.rows == ROWS
    return carried.doubtful


@pytest.mark.parametrize(
    ("trouble", "doubtful"),
    [
        (said("40001"), False),
        (said("40P01"), False),
        (said("55P03"), False),
        (REFUSED, False),
        (LOST, True),
        (said("08006"), True),
        (said("57P01"), True),
        (said("57P02"), True),
        (said("57P03"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
    ],
    ids=repr,
)
async def test_trouble_that_may_pass_is_waited_out(trouble: object, doubtful: bool) -> None:
    actor = Actor(trouble, trouble, ROWS)
    assert await carry(actor) is doubtful
    assert actor.attempts == (1 if trouble is REFUSED else 3)


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ([REFUSED], "not_attempted"),
        ([said("40001")], "not_attempted"),
        ([said("40P01")], "not_attempted"),
        ([said("55P03")], "account_busy"),
        ([LOST], "outcome_unknown"),
        ([said("57P01")], "outcome_unknown"),
        ([LOST, REFUSED], "outcome_unknown"),
        ([LOST, said("40001")], "outcome_unknown"),
        ([LOST, said("55P03")], "outcome_unknown"),
    ],
    ids=repr,
)
async def test_at_the_deadline_it_is_said_whether_anything_may_have_been_done(
    script: list[object], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, sleep = asyncio.get_running_loop(), asyncio.sleep
    wakes_at: list[float] = []

    async def recorded(seconds: float) -> None:
        wakes_at.append(loop.time() + seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", recorded)
    began_at = loop.time()
    assert await carry(Actor(*script)) == code
    assert max(wakes_at) - began_at < DEADLINE


async def test_a_pause_that_was_overslept_is_followed_by_no_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As on a machine with too much to do."""
    sleep = asyncio.sleep

    async def oversleep(_seconds: float) -> None:
        await sleep(DEADLINE)

    monkeypatch.setattr(asyncio, "sleep", oversleep)
    actor = Actor(said("55P03"))
    assert await carry(actor) == "account_busy"
    assert actor.attempts == 1


async def test_for_a_read_nothing_was_done() -> None:
    assert await carry(Actor(LOST), writes=False) == "not_attempted"


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53300", "57014", "58030", "25006"])
async def test_a_server_that_cannot_is_not_asked_again(sqlstate: str) -> None:
    actor = Actor(said(sqlstate))
    assert await carry(actor) == "not_attempted"
    assert actor.attempts == 1
    assert await carry(Actor(LOST, said(sqlstate))) == "outcome_unknown"


@pytest.mark.parametrize(
    "defect",
    [
        said("42883"),
        said("42501"),
        said("XX000"),
        said("22P02"),
        said("23505"),
        ValueError(),
        asyncpg.InterfaceError("the server expects 1 argument"),
    ],
    ids=repr,
)
async def test_a_defect_is_not_hidden_unless_something_may_have_been_done(
    defect: Exception,
) -> None:
    actor = Actor(defect)
    with pytest.raises(type(defect)):
        await carry(actor)
    assert actor.attempts == 1
    assert await carry(Actor(LOST, defect)) == "outcome_unknown"


async def test_what_sql_raises_is_a_problem_with_its_values() -> None:
    error = said("LG302", detail='{"code": "unknown_account", "account": "bob"}')
    for writes in (True, False):
        carrier = Carrier(cast("Any", Actor(error)), deadline_seconds=DEADLINE, writes=writes)
        with pytest.raises(Problem) as caught:
            await carrier.fetch("select ledger.f()")
        problem = caught.value
        assert (problem.code, problem.values) == ("unknown_account", {"account": "bob"})
        assert problem.read is not writes


async def test_a_commit_that_its_standby_may_not_have_is_not_acknowledged() -> None:
    actor = Actor("01000")
    assert await carry(actor) == "outcome_unknown"
    assert actor.attempts == 1
    assert await carry(Actor("00000")) is False  # a notice


async def test_a_cancelled_call_ends_its_connection() -> None:
    actor = Actor(asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await carry(actor)
    assert (actor.ended, actor.in_use) == (1, 0)


@pytest.mark.parametrize(
    ("trouble", "code"),
    [(REFUSED, "not_attempted"), (LOST, "outcome_unknown"), (said("40001"), "not_attempted")],
    ids=repr,
)
async def test_a_database_that_will_not_come_back_is_not_waited_for(
    trouble: object, code: str
) -> None:
    actor = Actor(trouble, ROWS)
    carrier = Carrier(cast("Any", actor), deadline_seconds=DEADLINE, writes=True)
    carrier.give_up()
    with pytest.raises(Problem) as caught:
        await carrier.fetch("select ledger.f()")
    assert caught.value.code == code
    assert actor.script == [ROWS]


async def test_who_waits_already_gives_up_as_well() -> None:
    actor = Actor(REFUSED)
    carrier = Carrier(cast("Any", actor), deadline_seconds=600.0, writes=True)
    waiting = asyncio.create_task(carrier.fetch("select ledger.f()"))
    await asyncio.sleep(0)
    assert not waiting.done()
    carrier.give_up()
    with pytest.raises(Problem) as caught:
        async with asyncio.timeout(60):
            await waiting
    assert caught.value.code == "not_attempted"
