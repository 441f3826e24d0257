"""The poster, on a gateway that plays a part: who travels when, and what is said in the end."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest

from service.errors import Problem
from service.ledger.carrier import Failure
from service.ledger.disk import Disk
from service.ledger.gateway import PaymentResult
from service.ledger.poster import Element, NoEcho, Owner, Poster, lateness
from service.ledger.poster import poster as poster_module
from service.ledger.poster.bounds import Bounds
from service.ledger.poster.parcels import Parcel
from service.ledger.poster.queues import ENOUGH_ITEMS_A_CALL, MOST_ITEMS_A_CALL, Queues
from service.ledger.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

ME = Owner(1, 1)
DEADLINE = 5.0


def element(key: str, *accounts: str) -> Element:
    return Element(json.dumps({"k": key}).encode(), key, accounts)


def posted(key: str, *, replayed: bool = False) -> PaymentResult:
    return PaymentResult("posted", None, replayed, f"id-{key}", key.encode())


def failed(sqlstate: str, *, doubtful: bool = False, retry: bool = True) -> Failure:
    error = asyncpg.PostgresError.new({"C": sqlstate, "S": "ERROR", "M": "some text"})
    return Failure(error, doubtful=doubtful, retry=retry)


LOST = failed("08006", doubtful=True)
LOCKED = failed("55P03")


class Call:
    """A call in flight: the test ends it."""

    def __init__(self, ledger_id: int, keys: list[str], wait: bool) -> None:
        self.ledger_id = ledger_id
        self.keys = keys
        self.wait = wait
        self.end: asyncio.Future[list[PaymentResult]] = asyncio.get_running_loop().create_future()

    def post(self) -> None:
        self.end.set_result([posted(key) for key in self.keys])

    def fail(self, exc: Exception) -> None:
        self.end.set_exception(exc)


class Gateway:
    """Every call waits for the test, or is answered by `script`."""

    def __init__(self) -> None:
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self.sent: list[list[str]] = []
        self.flying: list[str] = []
        self.script: Callable[[Call], list[PaymentResult]] | None = None

    async def post_payments(
        self, payments: str, ledger_id: int, *, wait: bool, deadline: float, **_: Any
    ) -> list[PaymentResult]:
        keys = [item["k"] for item in json.loads(payments)]
        assert not {*self.flying} & {*keys}, "a key travels twice at once"
        self.sent.append(keys)
        call = Call(ledger_id, keys, wait)
        if self.script is not None:
            await asyncio.sleep(0)
            return self.script(call)
        self.flying += keys
        self.calls.put_nowait(call)
        try:
            async with asyncio.timeout_at(deadline):  # as the carrier drops the connection
                return await call.end
        except TimeoutError:
            raise failed("08006", doubtful=True) from None
        finally:
            for key in keys:
                self.flying.remove(key)

    async def next(self) -> Call:
        async with asyncio.timeout(10):
            return await self.calls.get()


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
async def poster(gateway: Gateway) -> AsyncIterator[Poster]:
    async with Poster(cast("Any", gateway), NoEcho(), deadline_seconds=DEADLINE) as poster:
        yield poster
        await until(lambda: poster.items == 0)
        assert poster._keys._waiting == {}
        assert poster._bounds._owners == {}
        assert len(poster._lanes) == 0


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.ledger.poster.calls.FIRST_PAUSE", 0.0001)
    monkeypatch.setattr("service.ledger.poster.calls.LONGEST_PAUSE", 0.001)
    monkeypatch.setattr("service.ledger.poster.lanes._FIRST_PAUSE", 0.0001)
    monkeypatch.setattr("service.ledger.poster.lanes._LONGEST_PAUSE", 0.001)


async def settle() -> None:
    """Lets every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def pay(
    poster: Poster, *keys: str, owner: Owner = ME, seconds: float = DEADLINE, account: str = "a"
) -> asyncio.Task[list[PaymentResult]]:
    """One request with so many payments."""
    elements = [element(key, account) for key in keys]
    deadline = asyncio.get_running_loop().time() + seconds
    return asyncio.create_task(poster.post_payments(elements, owner, deadline))


def codes(results: list[PaymentResult]) -> list[str | None]:
    return [result.code for result in results]


# -- gathering -----------------------------------------------------------------------------------


async def test_a_lone_payment_goes_at_once_and_what_comes_meanwhile_goes_together(
    poster: Poster, gateway: Gateway
) -> None:
    first = pay(poster, "1")
    alone = await gateway.next()
    assert alone.keys == ["1"]
    others = [pay(poster, key) for key in "234"]
    await settle()
    assert gateway.calls.empty()  # one call a ledger
    alone.post()
    together = await gateway.next()
    assert together.keys == ["2", "3", "4"]
    together.post()
    assert await first == [posted("1")]
    assert await asyncio.gather(*others) == [[posted(key)] for key in "234"]


async def test_ledgers_do_not_wait_for_each_other(poster: Poster, gateway: Gateway) -> None:
    tasks = [pay(poster, "1", owner=Owner(ledger_id, 1)) for ledger_id in (1, 2)]
    calls = []
    gateway.flying = cast("Any", Uncaring())
    for _ in tasks:
        calls.append(await gateway.next())
    assert {call.ledger_id for call in calls} == {1, 2}
    for call in calls:
        call.post()
    await asyncio.gather(*tasks)


class Uncaring(list[str]):
    """Keys of different ledgers are different keys."""

    def __iter__(self) -> Any:
        return iter(())


async def test_no_call_has_more_than_500_and_no_request_is_divided(
    poster: Poster, gateway: Gateway
) -> None:
    tasks = [pay(poster, "first")]
    (first := await gateway.next())
    sizes = [90, 59, 351, 500]
    for number, size in enumerate(sizes):
        tasks.append(pay(poster, *(f"{number}-{n}" for n in range(size))))
    await settle()
    first.post()
    told = []
    for _ in range(2):
        call = await gateway.next()
        told.append(len(call.keys))
        call.post()
    assert told == [500, 500]
    await asyncio.gather(*tasks)


async def test_a_call_that_takes_too_long_holds_up_no_other(
    poster: Poster, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poster_module, "_OVERDUE_SECONDS", 0.001)
    stuck = pay(poster, "1")
    call = await gateway.next()
    second = pay(poster, "2")
    (await gateway.next()).post()
    assert await second == [posted("2")]
    call.post()
    await stuck


# -- fairness and bounds -------------------------------------------------------------------------


def parcel(owner: Owner, *keys: str) -> Parcel:
    deadline = asyncio.get_running_loop().time() + DEADLINE
    return Parcel(owner, [element(key) for key in keys], deadline, lambda _: None)


def taken(queues: Queues) -> list[str]:
    load = queues.take()
    assert load is not None
    return [json.loads(item.text)["k"] for item in load.items]


async def test_api_keys_take_turns_within_a_ledger() -> None:
    queues = Queues()
    for number in range(2 * ENOUGH_ITEMS_A_CALL):
        queues.put(parcel(Owner(1, 1), f"greedy-{number}"))
    for number in range(3):
        queues.put(parcel(Owner(1, 2), f"modest-{number}"))
    keys = taken(queues)
    assert len(keys) == ENOUGH_ITEMS_A_CALL
    assert keys[:6] == [f"{who}-{n}" for n in range(3) for who in ("greedy", "modest")]


async def test_a_big_request_is_passed_over_once_only() -> None:
    queues = Queues()
    queues.put(parcel(Owner(1, 1), "small"))
    queues.put(parcel(Owner(1, 2), *(f"big-{n}" for n in range(MOST_ITEMS_A_CALL))))
    for number in range(2 * MOST_ITEMS_A_CALL):
        queues.put(parcel(Owner(1, 3), f"other-{number}"))
    assert not any(key.startswith("big") for key in taken(queues))
    assert all(key.startswith("big") for key in taken(queues))


async def test_ledgers_take_turns() -> None:
    queues = Queues()
    for ledger_id in (1, 2, 3):
        for number in range(2 * MOST_ITEMS_A_CALL):
            queues.put(parcel(Owner(ledger_id, 1), str(number)))
    rounds = -(-2 * MOST_ITEMS_A_CALL // ENOUGH_ITEMS_A_CALL)
    loads = [queues.take() for _ in range(3 * rounds)]
    assert [load.ledger_id for load in loads if load] == [1, 2, 3] * rounds
    assert queues.take() is None
    assert not queues


def test_a_share_is_half_and_what_is_given_back_can_be_taken_again() -> None:
    bounds = Bounds(items=10, size=100)
    bounds.take(Owner(1, 1), 5, 10)
    refused(lambda: bounds.take(Owner(1, 1), 1, 1), "too_many_requests")
    bounds.take(Owner(1, 2), 1, 50)
    refused(lambda: bounds.take(Owner(1, 2), 1, 1), "too_many_requests")
    refused(lambda: bounds.take(Owner(1, 3), 5, 1), "overloaded")
    refused(lambda: bounds.take(Owner(1, 3), 1, 50), "overloaded")
    bounds.take(Owner(1, 3), 4, 40)
    bounds.give_back(Owner(1, 1), 5, 10)
    bounds.take(Owner(1, 1), 5, 10)


def refused(attempt: Callable[[], None], code: str) -> None:
    with pytest.raises(Problem) as caught:
        attempt()
    assert caught.value.code == code


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that wait are many, and late at once."""
    monkeypatch.setattr(lateness, "MANY", 2)
    monkeypatch.setattr(lateness, "LATE_SECONDS", -1.0)


@asynccontextmanager
async def overload(poster: Poster, gateway: Gateway) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """One payment is in a call, two wait; in the end they are posted, with what was added."""
    tasks = [pay(poster, "1")]
    call = await gateway.next()
    tasks += [pay(poster, key) for key in "23"]
    await settle()
    yield tasks
    call.post()
    (await gateway.next()).post()
    await asyncio.gather(*tasks)


@pytest.mark.usefixtures("late")
async def test_who_sends_more_than_can_be_posted_in_time_is_refused_and_nobody_else(
    poster: Poster, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lateness, "HOLD_SECONDS", 0.0)
    async with overload(poster, gateway) as tasks:
        with pytest.raises(Problem) as caught:
            await pay(poster, "4")
        assert caught.value.code == "too_many_requests"
        tasks.append(pay(poster, "5", owner=Owner(1, 2)))
        await settle()
    assert gateway.sent == [["1"], ["2", "5", "3"]]


@pytest.mark.usefixtures("late")
async def test_a_refusal_is_held_back_and_takes_no_room_meanwhile(
    poster: Poster, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lateness, "HOLD_SECONDS", 0.05)
    async with overload(poster, gateway):
        began = asyncio.get_running_loop().time()
        refused = pay(poster, "4")
        await settle()
        assert not refused.done()
        assert poster.items == 3
    # By the time that it is told there is room; it is refused all the same, as it would be late.
    with pytest.raises(Problem):
        await refused
    assert asyncio.get_running_loop().time() - began >= 0.05
    assert gateway.sent == [["1"], ["2", "3"]]


@pytest.mark.usefixtures("late")
async def test_a_refusal_is_not_held_beyond_its_deadline(
    poster: Poster, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lateness, "HOLD_SECONDS", 3600.0)
    async with overload(poster, gateway):
        assert poster.is_late(ME)
        with pytest.raises(Problem) as caught:
            await pay(poster, "4", seconds=0.05)
        assert caught.value.code == "too_many_requests"


@pytest.mark.usefixtures("late")
async def test_what_would_take_too_much_memory_is_refused_at_once(
    poster: Poster, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lateness, "HOLD_SECONDS", 3600.0)
    monkeypatch.setattr(lateness, "MOST_HELD_BYTES", 2000)
    async with overload(poster, gateway):
        held = pay(poster, "4")
        await settle()
        second = pay(poster, "5")
        await settle()
        assert (held.done(), second.done()) == (False, True)
        with pytest.raises(Problem):
            await second
        # Whoever goes away leaves the room to others.
        held.cancel()
        await settle()
        third = pay(poster, "6")
        await settle()
        assert not third.done()
        third.cancel()


# -- keys ----------------------------------------------------------------------------------------


async def test_a_key_never_travels_twice_at_once(poster: Poster, gateway: Gateway) -> None:
    tasks = [pay(poster, "1"), pay(poster, "1"), pay(poster, "2", "1"), pay(poster, "3")]
    while not all(task.done() for task in tasks):
        (await gateway.next()).post()  # the gateway sees that no key is in two calls
        await settle()
    assert gateway.sent[0] == ["1", "3"]  # whoever shares no key with them does not wait
    assert sorted(key for keys in gateway.sent for key in keys) == ["1", "1", "1", "2", "3"]


async def test_a_request_with_one_key_twice_travels_whole(poster: Poster, gateway: Gateway) -> None:
    task = pay(poster, "1", "1", "2")
    call = await gateway.next()
    assert call.keys == ["1", "1", "2"]
    call.post()
    await task


async def test_of_a_batch_only_what_is_in_use_at_the_deadline_is_told_so(
    poster: Poster, gateway: Gateway
) -> None:
    first = pay(poster, "1")
    call = await gateway.next()
    batch = pay(poster, "2", "1", "3", seconds=0.8 * 0.01 + 0.2 * DEADLINE)
    await until(lambda: poster.items == 3)  # the one in use has been left out
    call.post()
    (await gateway.next()).post()
    assert codes(await batch) == [None, "idempotency_key_in_use", None]
    await first


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- nothing tells us
            await asyncio.sleep(0.001)


# -- cancelling, deadlines -----------------------------------------------------------------------


@pytest.mark.parametrize("in_flight", [True, False])
async def test_who_goes_away_changes_nothing(
    poster: Poster, gateway: Gateway, in_flight: bool
) -> None:
    tasks = [pay(poster, "1"), pay(poster, "2")]
    if not in_flight:
        tasks.insert(0, pay(poster, "0"))
    call = await gateway.next()
    tasks.append(pay(poster, "3"))
    await settle()
    tasks[1].cancel()
    await settle()
    assert poster.runs
    call.post()
    (await gateway.next()).post()
    assert await tasks[0]
    assert await tasks[-1] == [posted("3")]
    sent = [key for keys in gateway.sent for key in keys]
    assert sorted(sent) == (["1", "2", "3"] if in_flight else ["0", "1", "2", "3"])


async def test_at_its_deadline_each_payment_is_told_what_is_known(
    poster: Poster, gateway: Gateway
) -> None:
    flying = pay(poster, "1", seconds=0.6)  # an attempt needs half a second of these
    call = await gateway.next()
    waiting = pay(poster, "2", seconds=0.01)
    assert codes(await waiting) == ["not_attempted"]
    assert codes(await flying) == ["outcome_unknown"]
    assert gateway.sent == [["1"]]
    assert call.end.cancelled()


async def test_what_could_only_be_cut_off_is_not_begun(poster: Poster, gateway: Gateway) -> None:
    assert codes(await pay(poster, "1", seconds=0.4)) == ["not_attempted"]  # half a second is due
    assert gateway.sent == []


async def test_a_key_is_free_again_only_when_its_call_has_ended(
    poster: Poster, gateway: Gateway
) -> None:
    first = pay(poster, "1", seconds=0.51)
    second = pay(poster, "2", seconds=4)
    call = await gateway.next()
    assert call.keys == ["1", "2"]
    assert codes(await first) == ["outcome_unknown"]
    again = pay(poster, "1")
    await settle()
    assert gateway.calls.empty()
    call.post()
    (await gateway.next()).post()
    assert await again == [posted("1")]
    await second


async def test_the_end_of_the_service_is_told_to_all(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poster_module, "_CLOSE_SECONDS", 0.001)
    async with Poster(cast("Any", gateway), NoEcho(), deadline_seconds=DEADLINE) as poster:
        flying = pay(poster, "1")
        await gateway.next()
        waiting = pay(poster, "2")
        await settle()
    assert codes(await flying) == ["outcome_unknown"]
    assert codes(await waiting) == ["not_attempted"]
    assert not poster.runs


async def test_the_dispatchers_death_is_seen_from_outside(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Poster(cast("Any", gateway), NoEcho(), deadline_seconds=0.2) as poster:
        assert poster.runs

        def broken(*_: object) -> None:
            raise RuntimeError

        monkeypatch.setattr(poster._queues, "take", broken)
        assert codes(await pay(poster, "1", seconds=0.1)) == ["not_attempted"]
        assert not poster.runs

        class Down:
            async def acquire(self) -> None:
                raise OSError

        check, *_ = await Readiness(cast("Any", Down()), poster, Disk()).check()
        assert (check.name, check.ok) == ("poster", False)


# -- trouble -------------------------------------------------------------------------------------


async def test_after_a_lost_connection_the_payments_travel_in_halves(
    poster: Poster, gateway: Gateway
) -> None:
    """One of them crashes its backend, whatever company it has."""

    def crash_over_5(call: Call) -> list[PaymentResult]:
        if "5" in call.keys:
            raise LOST
        return [posted(key) for key in call.keys]

    gateway.script = crash_over_5
    results = await pay(poster, *"12345678")
    assert codes(results) == [None] * 4 + ["outcome_unknown"] + [None] * 3
    crashes = [keys for keys in gateway.sent if "5" in keys]
    assert crashes == [list("12345678"), list("5678"), list("56"), ["5"], ["5"]]
    assert len(gateway.sent) == 5 + 3


async def test_after_a_loss_only_what_the_key_holds_is_believed(
    poster: Poster, gateway: Gateway
) -> None:
    outcomes = ["posted", "rejected", "conflict", "invalid"]

    def lose_once(call: Call) -> list[PaymentResult]:
        if len(gateway.sent) == 1:
            raise LOST
        return [
            PaymentResult(outcomes[int(key)], f"code_{key}", False, None, b"{}")
            for key in call.keys
        ]

    gateway.script = lose_once
    results = await pay(poster, *"0123")
    assert [result.outcome for result in results] == ["posted", "rejected", "conflict", "unknown"]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
async def test_what_was_rolled_back_is_tried_again_as_it_was(
    poster: Poster, gateway: Gateway, sqlstate: str
) -> None:
    def fail_twice(call: Call) -> list[PaymentResult]:
        if len(gateway.sent) < 3:
            raise failed(sqlstate)
        return [posted(key) for key in call.keys]

    gateway.script = fail_twice
    assert codes(await pay(poster, *"12")) == [None, None]
    assert gateway.sent == [["1", "2"]] * 3


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (failed("53100", retry=False), "not_attempted"),
        (Failure(None, doubtful=True, retry=False), "outcome_unknown"),  # WARNING 01000
    ],
    ids=["no disk", "no standby"],
)
async def test_a_server_that_cannot_is_not_asked_again(
    poster: Poster, gateway: Gateway, failure: Failure, code: str
) -> None:
    def fail(_: Call) -> list[PaymentResult]:
        raise failure

    gateway.script = fail
    assert codes(await pay(poster, *"12")) == [code] * 2
    assert len(gateway.sent) == 1


class ChokedError(Exception):
    pass


async def test_a_defect_is_told_to_the_payment_it_is_about(
    poster: Poster, gateway: Gateway
) -> None:
    def choke_on_2(call: Call) -> list[PaymentResult]:
        if "2" in call.keys:
            raise ChokedError
        return [posted(key) for key in call.keys]

    gateway.script = choke_on_2
    assert codes(await pay(poster, *"123")) == [None, "internal_error", None]
    with pytest.raises(ChokedError):
        await pay(poster, "2")
    assert poster.runs


async def test_a_statement_that_is_wrong_is_not_divided(poster: Poster, gateway: Gateway) -> None:
    def wrong(_: Call) -> list[PaymentResult]:
        raise asyncpg.UndefinedFunctionError

    gateway.script = wrong
    assert codes(await pay(poster, *"123")) == ["internal_error"] * 3
    assert len(gateway.sent) == 1


# -- locked accounts -----------------------------------------------------------------------------


class Locked:
    """SQL with some accounts locked by a stranger; keys begin with the account they name."""

    def __init__(self, *accounts: str) -> None:
        self.accounts = {*accounts}
        self.named: dict[str, str] = {}  # the accounts of keys that begin otherwise
        self.waits = 0

    def __call__(self, call: Call) -> list[PaymentResult]:
        held = [key for key in call.keys if self._account(key) in self.accounts]
        if held and call.wait:
            self.waits += 1
            raise LOCKED
        return [self._busy(key) if key in held else posted(key) for key in call.keys]

    def _account(self, key: str) -> str:
        return self.named.get(key, key[0])

    def _busy(self, key: str) -> PaymentResult:
        body = json.dumps({"code": "account_busy", "account": self._account(key)}).encode()
        return PaymentResult("busy", "account_busy", False, None, body)


def pay_each(poster: Poster, *keys: str) -> list[asyncio.Task[list[PaymentResult]]]:
    return [pay(poster, key, account=key[0]) for key in keys]


async def test_a_locked_account_holds_up_its_own_payments_only(
    poster: Poster, gateway: Gateway
) -> None:
    gateway.script = locked = Locked("a")
    held = pay_each(poster, "a1", "a2")
    free = pay_each(poster, "b1", "c1")
    assert await asyncio.gather(*free) == [[posted("b1")], [posted("c1")]]
    await until(lambda: locked.waits > 3)  # it is tried again and again
    assert gateway.sent[:2] == [["a1", "a2", "b1", "c1"]] * 2  # and then without waiting
    # Now it is known, and new payments on the account are not even tried with others.
    begun = len(gateway.sent)
    held += pay_each(poster, "a3")
    assert await asyncio.gather(*pay_each(poster, "b2")) == [[posted("b2")]]
    assert {len(keys) for keys in gateway.sent[begun:]} == {1}
    assert not any(task.done() for task in held)
    locked.accounts.clear()
    assert await asyncio.gather(*held) == [[posted(key)] for key in ("a1", "a2", "a3")]
    assert gateway.sent[-1] == ["a2", "a3"]  # behind the first one, together


async def test_each_locked_account_is_waited_for_apart(poster: Poster, gateway: Gateway) -> None:
    gateway.script = locked = Locked("a", "b")
    held_a, held_b = pay_each(poster, "a1", "b1")
    await until(lambda: len(poster._lanes) == 2)
    locked.accounts.remove("b")
    assert await held_b == [posted("b1")]
    assert not held_a.done()
    locked.accounts.clear()
    await held_a


async def test_what_another_account_holds_up_leaves_the_lane(
    poster: Poster, gateway: Gateway
) -> None:
    gateway.script = locked = Locked("a")
    elements = [element("ab", "a", "b")]  # held by a at first, then by b
    moving = asyncio.create_task(poster.post_payments(elements, ME, poster.deadline()))
    await until(lambda: (1, "a") in poster._lanes._lanes)
    locked.accounts = {"b"}
    locked.named = {"ab": "b"}
    await until(lambda: [*poster._lanes._lanes] == [(1, "b")])
    assert await asyncio.gather(*pay_each(poster, "a2")) == [[posted("a2")]]
    locked.named.clear()
    assert await moving == [posted("ab")]
    assert poster.items == 0


async def test_an_account_that_stays_locked_is_told_at_the_deadline(
    poster: Poster, gateway: Gateway
) -> None:
    gateway.script = Locked("a")
    results = await pay(poster, "a1", "b1", seconds=0.55, account="a")
    assert codes(results) == ["account_busy", None]
    await until(lambda: len(poster._lanes) == 0)


async def test_a_key_that_a_stranger_holds_is_found_by_halves(
    poster: Poster, gateway: Gateway
) -> None:
    """A key that another transaction has claimed is waited for even by a probe."""
    held = {"3"}

    def wait_for_3(call: Call) -> list[PaymentResult]:
        if held & {*call.keys}:
            raise LOCKED
        return [posted(key) for key in call.keys]

    gateway.script = wait_for_3
    first = pay_each(poster, *"1245678")
    blocked = pay(poster, "3", account="z")
    await asyncio.gather(*first)
    assert not blocked.done()
    held.clear()
    assert await blocked == [posted("3")]
