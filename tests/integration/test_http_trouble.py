"""Trouble with the database, the line to it, or the client: every request ends definitely."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from http_support import Api, Wire, connect, fresh_key, serving, until
from yarl import URL

from service.api.resources import GATEWAY, POSTER
from service.database import api_keys
from service.ledger.poster.bounds import Bounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from support.answers import Answer

    from service.settings import Settings

PAYMENT = {"from": "bank", "to": "alice", "amount": "1", "currency": "USD"}
POSTING = "query like '%ledger.post_payment%' and application_name = 'payledger payments'"


@pytest.fixture
async def books(api: Api) -> Api:
    """bank (no minimum) and alice."""
    await api.open("bank", min_balance=None)
    await api.open("alice")
    return api


@asynccontextmanager
async def another_service(books: Api, settings: Settings) -> AsyncIterator[Api]:
    """A client of a service with other settings, on the same ledger."""
    async with serving(settings) as (url, _):
        yield replace(books, url=url)


@pytest.fixture
async def wire(server_address: tuple[str, int]) -> AsyncIterator[Wire]:
    async with Wire(*server_address) as wire:
        yield wire


@pytest.fixture
async def wired(books: Api, settings: Settings, wire: Wire) -> AsyncIterator[Api]:
    """A client of a service that reaches its database over `wire`, with a deadline of 2 s."""
    async with another_service(books, over(wire, settings, deadline_seconds=2)) as api:
        assert (await api.pay(PAYMENT)).status == 201  # its key and ledger are known by now
        yield api


def over(wire: Wire, settings: Settings, **changes: Any) -> Settings:
    assert settings.dsn is not None
    dsn = str(URL(settings.dsn).with_port(wire.port))
    return replace(settings, dsn=dsn, **changes)


async def holding(
    admin: asyncpg.Connection, api: Api, *codes: str
) -> asyncpg.transaction.Transaction:
    """Locks accounts of the ledger, as a stranger with psql might."""
    transaction = admin.transaction()
    await transaction.start()
    await admin.fetch(
        """
        select from ledger.accounts join ledger.ledgers using (ledger_id)
        where name = $1 and code = any($2) for update of accounts
        """,
        api.ledger,
        list(codes),
    )
    return transaction


def waits(admin: asyncpg.Connection, number: int = 1) -> Callable[[], Awaitable[bool]]:
    """Whether so many postings wait for a row."""

    async def waiting() -> bool:
        found: int = await admin.fetchval(
            f"select count(*) from pg_stat_activity where wait_event_type = 'Lock' and {POSTING}"
        )
        return found >= number

    return waiting


def assert_told(answer: Answer, code: str) -> None:
    assert answer.outcome == (503 if code != "idempotency_key_in_use" else 409, code)
    assert answer.headers["Retry-After"] == "1"


async def test_a_backend_that_is_ended_in_mid_call_is_replaced_and_the_payment_posted_once(
    books: Api, admin: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    transaction = await holding(admin, books, "alice")
    paying = asyncio.create_task(books.pay(PAYMENT))
    await until(waits(observer), "the posting waits for the row")
    await observer.fetch(f"select pg_terminate_backend(pid) from pg_stat_activity where {POSTING}")
    await transaction.rollback()
    answer = await paying
    assert answer.status == 201
    assert await books.balance("alice") == "1"
    await books.assert_sound()


async def test_every_backend_may_end_at_any_time(books: Api, observer: asyncpg.Connection) -> None:
    """Payments while all of the service's sessions are ended again and again."""
    stop = asyncio.Event()
    struck = 0

    async def strike() -> None:
        nonlocal struck
        while not stop.is_set():
            struck += len(
                await observer.fetch(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name like 'payledger %' and state = 'active'"
                )
            )
            await asyncio.sleep(0.002)

    striking = asyncio.create_task(strike())
    answers: dict[str, Answer] = {}

    async def struck_in_earnest() -> bool:
        """Few calls carry many payments: it takes some of them until a call is hit."""
        keys = [fresh_key() for _ in range(40)]
        told = await asyncio.gather(*(books.pay(PAYMENT, key) for key in keys))
        answers.update(zip(keys, told, strict=True))
        return struck >= 5

    try:
        await until(struck_in_earnest, "calls were cut off")
    finally:
        stop.set()
        await striking
    for key in [key for key, answer in answers.items() if answer.status != 201]:
        assert (await books.pay(PAYMENT, key)).status == 201
    assert await books.balance("alice") == str(len(answers))
    await books.assert_sound()


async def test_a_connection_whose_end_was_announced_between_two_payments_is_replaced(
    wired: Api, wire: Wire, observer: asyncpg.Connection
) -> None:
    """The announcement comes before the line's end does: it looks open in between."""
    wire.hold_ends()
    await observer.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'payledger payments'"
    )

    async def announced() -> bool:
        return wire.held_ends > 0

    await until(announced, "the server has closed the line")
    assert (await wired.pay(PAYMENT)).status == 201
    wire.hear_again()
    assert await wired.balance("alice") == "2"
    await wired.assert_sound()


async def test_an_answer_lost_on_its_way_is_fetched_again_with_the_same_key(
    wired: Api, wire: Wire, observer: asyncpg.Connection
) -> None:
    before = await wired.written()
    wire.swallow_answers()
    paying = asyncio.create_task(wired.pay(PAYMENT))

    async def posted() -> bool:
        return (await wired.written())[0] == before[0] + 1

    await until(posted, "the payment is posted, unheard")
    wire.cut()
    wire.hear_again()
    answer = await paying
    assert answer.status == 201
    assert answer.replayed
    assert (await wired.written())[0] == before[0] + 1


async def test_an_answer_that_never_comes_leaves_the_outcome_unknown_until_a_retry(
    wired: Api, wire: Wire
) -> None:
    key = fresh_key()
    wire.swallow_answers()
    async with asyncio.timeout(3):  # the deadline is 2 s
        answer = await wired.pay(PAYMENT, key)
    assert_told(answer, "outcome_unknown")
    wire.hear_again()
    retry = await wired.pay(PAYMENT, key)
    assert (retry.status, retry.replayed) == (201, True)
    assert await wired.balance("alice") == "2"


async def test_nothing_is_attempted_when_the_database_cannot_be_reached(
    wired: Api, wire: Wire
) -> None:
    wire.refusing = True
    wire.cut()
    key = fresh_key()
    assert_told(await wired.pay(PAYMENT, key), "not_attempted")
    wire.refusing = False
    retry = await wired.pay(PAYMENT, key)
    assert (retry.status, retry.replayed) == (201, False)


async def test_a_database_that_comes_back_within_the_deadline_is_waited_for(
    wired: Api, wire: Wire
) -> None:
    wire.refusing = True
    wire.cut()
    paying = asyncio.create_task(wired.pay(PAYMENT))
    await until(wire.was_refused, "a connection is refused")
    wire.refusing = False
    assert (await paying).status == 201


async def test_reads_say_that_nothing_was_done(wired: Api, wire: Wire) -> None:
    wire.swallow_answers()
    assert_told(await wired.get("/accounts/alice/balance"), "not_attempted")
    wire.hear_again()
    assert (await wired.get("/accounts/alice/balance")).status == 200


async def test_a_key_that_cannot_be_checked_is_not_refused(
    books: Api, settings: Settings, wire: Wire
) -> None:
    async with another_service(books, over(wire, settings, deadline_seconds=0.5)) as api:
        wire.refusing = True
        wire.cut()
        assert_told(await api.pay(PAYMENT), "not_attempted")


async def test_a_stopped_database_is_no_defect(
    wired: Api, wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    wire.refusing = True
    wire.cut()
    await asyncio.gather(wired.pay(PAYMENT), wired.get("/accounts"), wired.batch([PAYMENT]))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
    told = [record for record in caplog.records if record.getMessage() == "gave up"]
    assert {record.__dict__["function"] for record in told} == {
        "ledger.list_accounts",
        "ledger.post_payments",
    }


async def test_a_row_that_stays_locked_is_told_as_busy_and_nothing_is_posted(
    books: Api, admin: asyncpg.Connection, settings: Settings
) -> None:
    async with another_service(books, replace(settings, deadline_seconds=1)) as api:
        transaction = await holding(admin, books, "alice")
        key = fresh_key()
        assert_told(await api.pay(PAYMENT, key), "account_busy")
        await transaction.rollback()
        assert await books.written() == (0, 0, 0)
        retry = await api.pay(PAYMENT, key)
        assert (retry.status, retry.replayed) == (201, False)


async def test_a_row_that_is_free_in_time_is_waited_for(
    books: Api, admin: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    transaction = await holding(admin, books, "alice")
    paying = asyncio.create_task(books.pay(PAYMENT))
    begun: set[object] = set()

    async def waits_again() -> bool:
        begun.update(
            await observer.fetch(
                "select query_start from pg_stat_activity"
                f" where wait_event_type = 'Lock' and {POSTING}"
            )
        )
        return len(begun) > 1

    await until(waits_again, "an attempt has failed, and the next one waits")
    await transaction.rollback()
    assert (await paying).status == 201


async def test_a_statement_that_is_cancelled_was_rolled_back(
    books: Api, admin: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    transaction = await holding(admin, books, "alice")
    key = fresh_key()
    paying = asyncio.create_task(books.pay(PAYMENT, key))

    async def cancelled() -> bool:
        """It waits again and again, for a short time each."""
        await observer.fetch(
            "select pg_cancel_backend(pid) from pg_stat_activity"
            f" where state = 'active' and {POSTING}"
        )
        return paying.done()

    await until(cancelled, "a call is cancelled")
    assert_told(await paying, "not_attempted")
    await transaction.rollback()
    assert await books.written() == (0, 0, 0)
    assert (await books.pay(PAYMENT, key)).status == 201


async def test_a_cancelled_wait_for_a_standby_is_not_acknowledged(
    books: Api, admin: asyncpg.Connection
) -> None:
    """PostgreSQL then says success, with a warning; what it committed may be lost."""
    await admin.execute("alter system set synchronous_standby_names = 'nobody'")
    await admin.execute("select pg_reload_conf()")
    try:
        for _ in range(50):  # until the server has heard of the standby
            paying = asyncio.create_task(books.pay(PAYMENT))

            async def waiting_or_done(paying: asyncio.Task[Answer] = paying) -> object:
                return paying.done() or await admin.fetchval(
                    "select pid from pg_stat_activity where wait_event = 'SyncRep'"
                )

            pid = await until(waiting_or_done, "the payment waits for a standby")
            if not paying.done():
                break
        await admin.execute("select pg_cancel_backend($1)", pid)
        answer = await paying
    finally:
        await admin.execute("alter system reset synchronous_standby_names")
        await admin.execute("select pg_reload_conf()")
    assert_told(answer, "outcome_unknown")

    async def free() -> bool:
        return not await admin.fetchval(
            "select count(*) from pg_stat_activity where wait_event = 'SyncRep'"
        )

    await until(free, "nobody waits for a standby any more")
    assert (await books.pay(PAYMENT)).status == 201


async def test_after_a_lost_attempt_a_refusal_that_is_not_stored_is_not_believed(
    wired: Api, wire: Wire, admin: asyncpg.Connection
) -> None:
    """The lost attempt may still be carried out when the account appears."""
    body = {**PAYMENT, "to": "nobody"}
    wire.swallow_answers()
    paying = asyncio.create_task(wired.pay(body))
    await until(lambda: _true(wire.swallowed > 0), "an answer is swallowed")
    wire.cut()
    wire.hear_again()
    assert_told(await paying, "outcome_unknown")
    assert (await wired.pay(body)).outcome == (422, "unknown_account")


async def _true(value: bool) -> bool:
    return value


async def test_a_second_request_with_a_key_waits_for_the_first(
    books: Api, admin: asyncpg.Connection, observer: asyncpg.Connection
) -> None:
    transaction = await holding(admin, books, "alice")
    key = fresh_key()
    first = asyncio.create_task(books.pay(PAYMENT, key))
    await until(waits(observer), "the first waits for the row")
    others = [asyncio.create_task(books.pay(PAYMENT, key)) for _ in range(20)]
    assert (await books.pay({**PAYMENT, "to": "bank"})).code == "same_account"  # still serving
    assert not await waits(observer, 2)()  # they hold no connection
    await transaction.rollback()
    answers = [await first, *(await asyncio.gather(*others))]
    assert [answer.replayed for answer in answers] == [False] + [True] * 20
    assert len({answer.identity for answer in answers}) == 1


async def test_a_key_still_in_work_at_the_deadline_is_told(
    books: Api, admin: asyncpg.Connection, observer: asyncpg.Connection, settings: Settings
) -> None:
    # Enough for the second one to come in time, however busy the machine is.
    async with another_service(books, replace(settings, deadline_seconds=4)) as api:
        transaction = await holding(admin, books, "alice")
        key = fresh_key()
        first = asyncio.create_task(api.pay(PAYMENT, key))
        await until(waits(observer), "the first waits for the row")
        second = asyncio.create_task(api.pay(PAYMENT, key))
        answers = sorted([await first, await second], key=lambda answer: answer.status)
        assert_told(answers[0], "idempotency_key_in_use")
        assert_told(answers[1], "account_busy")
        await transaction.rollback()
        assert (await api.pay(PAYMENT, key)).status == 201
        assert await books.balance("alice") == "1"


async def test_payments_that_find_no_connection_in_time_were_not_attempted(
    books: Api, settings: Settings
) -> None:
    async with serving(replace(settings, pool_size=2, deadline_seconds=0.5)) as (url, runner):
        api = replace(books, url=url)
        pool = runner.app[GATEWAY]._writing._pool
        taken = [await pool.acquire() for _ in range(2)]
        assert_told(await api.pay(PAYMENT), "not_attempted")
        # Reads have a pool of their own.
        assert await api.balance("alice") == "0"
        for connection in taken:
            await pool.release(connection)
        assert (await api.pay(PAYMENT)).status == 201


@pytest.mark.parametrize(
    ("bound", "status", "code"), [(4, 429, "too_many_requests"), (2, 503, "overloaded")]
)
async def test_more_payments_than_can_be_taken_are_refused_at_once(
    books: Api, admin: asyncpg.Connection, settings: Settings, bound: int, status: int, code: str
) -> None:
    """One key may have half of the bound, all keys together the whole."""
    tokens = [await api_keys.create(admin, "another", api_keys.SCOPES, None) for _ in range(3)]
    async with serving(settings) as (url, runner):
        api = replace(books, url=url)
        poster = runner.app[POSTER]
        poster._bounds = Bounds(items=bound)
        transaction = await holding(admin, books, "alice")
        payers = tokens[:2] if code == "overloaded" else tokens[:1] * 2
        first = [asyncio.create_task(api.pay(PAYMENT, token=token)) for token in payers]
        await until(lambda: _true(poster.items == 2), "two payments are in work")
        refused = await api.pay(PAYMENT, token=tokens[2] if code == "overloaded" else tokens[0])
        assert refused.outcome == (status, code)
        assert refused.headers["Retry-After"] == "1"
        await transaction.rollback()
        assert [(await task).status for task in first] == [201, 201]
        assert (await api.pay(PAYMENT, token=tokens[2])).status == 201


async def test_a_full_share_leaves_room_for_other_keys(
    books: Api, admin: asyncpg.Connection, settings: Settings
) -> None:
    greedy, modest = [await api_keys.create(admin, "k", api_keys.SCOPES, None) for _ in range(2)]
    async with serving(settings) as (url, runner):
        api = replace(books, url=url)
        poster = runner.app[POSTER]
        poster._bounds = Bounds(items=4)
        transaction = await holding(admin, books, "alice")
        first = [asyncio.create_task(api.pay(PAYMENT, token=greedy)) for _ in range(2)]
        await until(lambda: _true(poster.items == 2), "two payments are in work")
        assert (await api.pay(PAYMENT, token=greedy)).status == 429
        await api.open("bob")
        assert (await api.pay({**PAYMENT, "to": "bob"}, token=modest)).status == 201
        await transaction.rollback()
        assert [(await task).status for task in first] == [201, 201]


async def test_a_lock_held_by_a_stranger_holds_up_its_own_account_only(
    books: Api, admin: asyncpg.Connection, observer: asyncpg.Connection, settings: Settings
) -> None:
    """For 10 s by the server's clock, in which payments on other accounts go on all the time."""
    async with another_service(books, replace(settings, deadline_seconds=60)) as api:
        await api.open("bob")
        transaction = await holding(admin, api, "alice")
        began_at = await admin.fetchval("select clock_timestamp()")
        held_up = [asyncio.create_task(api.pay(PAYMENT)) for _ in range(20)]
        loop = asyncio.get_running_loop()
        seconds = []

        async def ten_seconds_on() -> bool:
            for _ in range(5):  # some of them in one call with others on the locked account
                if len(held_up) < 60:  # the client has 100 connections
                    held_up.append(asyncio.create_task(api.pay(PAYMENT)))
                since = loop.time()
                answer = await api.pay({**PAYMENT, "to": "bob"})
                seconds.append(loop.time() - since)
                assert answer.status == 201
            passed: bool = await observer.fetchval(
                "select clock_timestamp() > $1::timestamptz + interval '10 s'", began_at
            )
            return passed

        await until(ten_seconds_on, "10 s have passed")
        assert not any(task.done() for task in held_up)
        # The promise is 0.1 s; a machine that does other things, too, is granted more.
        assert sorted(seconds)[len(seconds) // 2] < 0.1
        assert max(seconds) < 5
        await transaction.rollback()
        assert {answer.status for answer in await asyncio.gather(*held_up)} == {201}
        assert await api.balance("alice") == str(len(held_up))
        assert await api.balance("bob") == str(len(seconds))
        await api.assert_sound()


async def test_a_client_that_gives_up_breaks_nothing(
    books: Api, admin: asyncpg.Connection, settings: Settings
) -> None:
    async with serving(settings) as (url, runner):
        api = replace(books, url=url)
        transaction = await holding(admin, api, "alice")
        keys = [fresh_key() for _ in range(8)]
        writers = []
        for key in keys:
            body = json.dumps(PAYMENT)
            _, writer = await connect(url)
            writer.write(
                f"POST /v1/ledgers/{api.ledger}/payments HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {api.token}\r\nContent-Type: application/json\r\n"
                f"Idempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            writers.append(writer)
        await until(lambda: _true(runner.app[POSTER].items == 8), "all are in work")
        for writer in writers:
            writer.transport.abort()
        await transaction.rollback()
        # All of the pool is fit for use, and every payment went through.
        answers = await asyncio.gather(*(api.pay(PAYMENT, key) for key in keys))
        assert [answer.status for answer in answers] == [201] * 8
        assert all(answer.replayed for answer in answers)
        assert await api.balance("alice") == "8"


async def test_stopping_finishes_what_is_in_flight(
    books: Api, admin: asyncpg.Connection, observer: asyncpg.Connection, settings: Settings
) -> None:
    transaction = await holding(admin, books, "alice")
    async with serving(settings) as (url, runner):
        api = replace(books, url=url)
        paying = asyncio.create_task(api.pay(PAYMENT))
        await until(waits(observer), "the posting waits")
        stopping = asyncio.create_task(runner.cleanup())

        async def refuses() -> bool:
            try:
                _, writer = await connect(url)
            except OSError:
                return True
            writer.close()
            return False

        await until(refuses, "nothing new is accepted")
        assert not paying.done()
        await transaction.rollback()
        assert (await paying).status == 201
        await stopping
    connected = await observer.fetchval(
        "select count(*) from pg_stat_activity where application_name = 'payledger payments'"
        " and datname = current_database()"
    )
    assert connected <= settings.pool_size  # the module's other service only


async def test_a_service_without_a_database_does_not_start(settings: Settings, wire: Wire) -> None:
    wire.refusing = True
    with pytest.raises(Exception, match="cannot connect"):
        async with serving(over(wire, settings)):
            pass
    with pytest.raises(ValueError, match="dsn"):
        async with serving(replace(settings, dsn=None)):
            pass


async def test_a_full_disk_makes_the_service_unready_until_a_payment_is_written(
    books: Api, admin: asyncpg.Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What PostgreSQL says of it is said by a trigger here."""
    monkeypatch.setattr("service.ledger.disk.SECONDS", 600.0)
    monkeypatch.setattr("service.app._READINESS_SECONDS", 0.0)
    async with another_service(books, settings) as api:
        assert (await api.pay(PAYMENT, "before")).status == 201
        assert await disk_of(api) == "no complaint"
        async with full_disk(admin):
            assert_told(await api.pay(PAYMENT), "not_attempted")
            assert "is full" in await disk_of(api)
            assert (await api.request("GET", "/readyz")).status == 503

            replay = await api.batch([PAYMENT | {"idempotency_key": "before"}])
            assert [result["replayed"] for result in replay.json["results"]] == [True]
            assert "is full" in await disk_of(api)  # a replay writes nothing
        assert (await api.pay(PAYMENT)).status == 201
        assert await disk_of(api) == "no complaint"
    assert await books.balance("alice") == "2"
    await books.assert_sound()


@asynccontextmanager
async def full_disk(admin: asyncpg.Connection) -> AsyncIterator[None]:
    # The parent is locked first, as by those who read the feed: the order in which a drop
    # meets the trigger's clones is another, and would be a deadlock.
    first = "lock table ledger.payments in access exclusive mode;"
    await admin.execute(
        f"""
        {first}
        create function public.be_full() returns trigger language plpgsql as
          $$begin raise exception using errcode = 'disk_full'; end$$;
        create trigger be_full before insert on ledger.payments
          for each row execute function public.be_full()
        """
    )
    try:
        yield
    finally:
        await admin.execute(f"{first} drop function public.be_full cascade")


async def disk_of(api: Api) -> str:
    """What /readyz says of it."""
    disk = (await api.request("GET", "/readyz")).json["checks"]["disk"]
    assert disk["ok"] is (disk["detail"] == "no complaint")
    return str(disk["detail"])
