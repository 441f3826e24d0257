"""Payments over the same accounts at the same time, and changes of the accounts meanwhile."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.payments import item, start
from support.waiting import wait_until_blocked

if TYPE_CHECKING:
    from support.databases import Connection
    from support.payments import Ledger, Result

LOCK = "select from ledger.accounts where ledger_id = $1 and code = $2 for update"


@pytest.fixture(autouse=True)
async def accounts(ledger: Ledger) -> None:
    for code, amount in (("alice", 500), ("bob", 0), ("carol", 500), ("dave", 0)):
        await ledger.open(code, amount)


@pytest.fixture
async def first(ledger: Ledger) -> Connection:
    return await ledger.connect()


@pytest.fixture
async def second(ledger: Ledger) -> Connection:
    return await ledger.connect()


@pytest.mark.parametrize("path", ["plain", "general", "batch"])
async def test_a_debit_waits_for_the_one_before_and_sees_what_it_left(
    ledger: Ledger, first: Connection, second: Connection, path: str
) -> None:
    async def debit() -> Result:
        if path == "batch":  # of two: one that comes alone goes the plain path
            items = [item("k2", "alice", "carol", 200), item("k3", "carol", "nobody", 1)]
            return (await ledger.pay_many(second, items))[0]
        description = None if path == "plain" else "by the general path"
        return await ledger.pay(second, "k2", "alice", "carol", 200, description)

    async with first.transaction():
        await ledger.pay(first, "k1", "alice", "bob", 400)
        waiting = start(debit())
        await wait_until_blocked(ledger.observer, second, by=first)
    result = await waiting
    assert (result.outcome, result.code) == ("rejected", "insufficient_funds")
    assert '"available": "100"' in result.body


async def test_a_debit_that_waited_for_one_that_rolled_back_sees_nothing_of_it(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    transaction = first.transaction()
    await transaction.start()
    await ledger.pay(first, "k1", "alice", "bob", 400)
    debit = start(ledger.pay(second, "k2", "alice", "carol", 200))
    await wait_until_blocked(ledger.observer, second, by=first)
    await transaction.rollback()
    assert (await debit).versions == {"alice": 2, "carol": 2}
    assert await ledger.balance("alice") == (300, 2)


async def test_payments_over_other_accounts_do_not_wait(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        await ledger.pay(first, "k1", "alice", "bob", 1)
        await second.execute("set lock_timeout = '1ms'")
        assert (await ledger.pay(second, "k2", "carol", "dave", 1)).outcome == "posted"


async def test_readers_do_not_wait(ledger: Ledger, first: Connection, second: Connection) -> None:
    async with first.transaction():
        await ledger.pay(first, "k1", "alice", "bob", 1)
        await second.execute("set lock_timeout = '1ms'")
        for sql in (
            "select ledger.get_balance('alice', $1)",
            "select ledger.get_account('alice', $1)",
            "select count(*) from ledger.list_entries('alice', p_ledger_id => $1)",
            "select count(*) from ledger.list_accounts(p_ledger_id => $1)",
            "select ledger.find_payment_by_key('fund-alice', $1)",
        ):
            await second.fetchval(sql, ledger.id)
        assert await ledger.balance("alice") == (500, 1)


async def test_a_new_account_does_not_wait_for_payments(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        await ledger.pay(first, "k1", "alice", "bob", 1)
        await second.execute("set lock_timeout = '1ms'")
        await second.execute(
            "select ledger.create_account('new', 'USD', p_ledger_id => $1)", ledger.id
        )


async def test_payments_in_opposite_directions_do_not_deadlock(ledger: Ledger) -> None:
    sessions = [await ledger.connect() for _ in range(4)]
    directions = [("alice", "carol"), ("carol", "alice")] * 2

    async def rounds(n: int, con: Connection) -> None:
        from_, to = directions[n]
        for m in range(40):
            assert (await ledger.pay(con, f"k{n}-{m}", from_, to, 1)).outcome == "posted"

    await asyncio.gather(*(rounds(n, con) for n, con in enumerate(sessions)))
    assert await ledger.balance("alice") == (500, 161)
    assert await ledger.balance("carol") == (500, 161)


async def test_payments_in_opposite_directions_ask_for_their_rows_in_the_same_order(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    """If `back` took carol first, it would hold her while `there` holds alice."""
    of_alice, of_carol = await ledger.connect("postgres"), await ledger.connect("postgres")
    holding_alice, holding_carol = of_alice.transaction(), of_carol.transaction()
    await holding_alice.start()
    await holding_carol.start()
    await of_alice.execute(LOCK, ledger.id, "alice")
    await of_carol.execute(LOCK, ledger.id, "carol")
    there = start(ledger.pay(first, "there", "alice", "carol", 1))
    await wait_until_blocked(ledger.observer, first, by=of_alice)
    back = start(ledger.pay(second, "back", "carol", "alice", 1))
    await wait_until_blocked(ledger.observer, second)
    await holding_carol.commit()
    await wait_until_blocked(ledger.observer, second, by=first)
    await holding_alice.commit()
    assert [(await there).outcome, (await back).outcome] == ["posted", "posted"]


async def test_batches_and_compound_payments_over_the_same_accounts_do_not_deadlock(
    ledger: Ledger,
) -> None:
    codes = ["alice", "bob", "carol", "dave"]
    sessions = [await ledger.connect() for _ in range(4)]

    async def rounds(n: int, con: Connection) -> None:
        for m in range(12):
            key = f"k{n}-{m}"
            path = [codes[(n + m + step) % 4] for step in range(4)]
            if n % 2:
                path.reverse()
            steps = list(itertools.pairwise(path))
            if m % 2:
                await ledger.pay_many(con, [item(f"{key}-{f}", f, t, 1) for f, t in steps])
            else:
                postings = [{"from": f, "to": t, "amount": 1, "currency": "USD"} for f, t in steps]
                await ledger.pay_many(con, [{"idempotency_key": key, "postings": postings}])

    await asyncio.gather(*(rounds(n, con) for n, con in enumerate(sessions)))
    assert await ledger.keys() >= 4 * 6


async def test_a_payment_waits_for_a_change_of_limits_and_obeys_it(
    ledger: Ledger, first: Connection
) -> None:
    admin = await ledger.connect("postgres")
    async with admin.transaction():
        await admin.execute("select ledger.set_account_limits('alice', 450, null, $1)", ledger.id)
        debit = start(ledger.pay(first, "k", "alice", "bob", 51))
        await wait_until_blocked(ledger.observer, first, by=admin)
    assert '"min_balance": "450"' in (await debit).body


async def test_a_change_of_limits_waits_for_a_payment_and_applies_from_the_next_entry(
    ledger: Ledger, first: Connection
) -> None:
    admin = await ledger.connect("postgres")
    async with first.transaction():
        await ledger.pay(first, "k1", "alice", "bob", 100)
        change = start(
            admin.fetchval("select ledger.set_account_limits('alice', 450, null, $1)", ledger.id)
        )
        await wait_until_blocked(ledger.observer, admin, by=first)
    await change
    assert (await ledger.pay(first, "k2", "alice", "bob", 1)).code == "insufficient_funds"
    sql = (
        "select max(from_version) from ledger.account_changes c"
        " join ledger.accounts using (ledger_id, account_id)"
        " where ledger_id = $1 and code = 'alice'"
    )
    assert await ledger.observer.fetchval(sql, ledger.id) == 3


@pytest.mark.parametrize("status", ["frozen", "closed"])
async def test_a_payment_waits_for_a_change_of_status_and_obeys_it(
    ledger: Ledger, first: Connection, status: str
) -> None:
    admin = await ledger.connect("postgres")
    async with admin.transaction():
        await admin.execute("select ledger.set_account_status('bob', $1, $2)", status, ledger.id)
        credit = start(ledger.pay(first, "k", "alice", "bob", 1))
        await wait_until_blocked(ledger.observer, first, by=admin)
    assert (await credit).code == f"account_{status}"


async def test_closing_waits_for_a_payment_that_fills_the_account_and_is_refused(
    ledger: Ledger, first: Connection
) -> None:
    admin = await ledger.connect("postgres")
    async with first.transaction():
        await ledger.pay(first, "k", "alice", "bob", 1)
        closing = start(
            admin.fetchval("select ledger.set_account_status('bob', 'closed', $1)", ledger.id)
        )
        await wait_until_blocked(ledger.observer, admin, by=first)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await closing
    assert refused.value.sqlstate == "LG613"


async def test_without_waiting_what_a_stranger_holds_is_busy_and_the_rest_is_posted(
    ledger: Ledger, first: Connection
) -> None:
    payments = [
        item("k1", "carol", "dave", 1),
        item("k2", "alice", "bob", 1),
        item("k3", "carol", "bob", 1),
        item("fund-alice", "world", "alice", 500),
        item("k4", "carol", "nobody", 1),
    ]
    stranger = await ledger.connect("postgres")
    async with stranger.transaction():
        await stranger.execute(LOCK, ledger.id, "bob")
        await first.execute("set lock_timeout = '1ms'")
        results = await ledger.pay_many(first, payments, wait=False)
    assert [result.outcome for result in results] == [
        "posted", "busy", "busy", "posted", "invalid"
    ]  # fmt: skip
    assert results[1].body == '{"code": "account_busy", "account": "bob", "posting_no": 1}'
    assert results[3].replayed
    assert await ledger.keys() == 1  # busy is not stored
    again = await ledger.pay_many(first, payments, wait=False)
    assert [result.outcome for result in again] == [
        "posted", "posted", "posted", "posted", "invalid"
    ]  # fmt: skip
    assert [result.replayed for result in again] == [True, False, False, True, False]


async def test_without_waiting_a_duplicate_in_flight_is_busy(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        await ledger.pay(first, "k", "alice", "bob", 1)
        (result,) = await ledger.pay_many(second, [item("k", "alice", "bob", 1)], wait=False)
        assert (result.outcome, result.code) == ("busy", "account_busy")
    (result,) = await ledger.pay_many(second, [item("k", "alice", "bob", 1)], wait=False)
    assert (result.outcome, result.replayed) == ("posted", True)


async def test_a_lock_timeout_is_an_error_and_stores_nothing(
    ledger: Ledger, first: Connection
) -> None:
    stranger = await ledger.connect("postgres")
    async with stranger.transaction():
        await stranger.execute(LOCK, ledger.id, "alice")
        await first.execute("set lock_timeout = '10ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await ledger.pay(first, "k", "alice", "bob", 1)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await ledger.pay_many(
                first, [item("k", "carol", "dave", 1), item("l", "alice", "bob", 1)]
            )
    assert await ledger.keys() == 0
    assert (await ledger.pay(first, "k", "alice", "bob", 1)).replayed is False


async def test_a_cancelled_payment_stores_nothing(ledger: Ledger, first: Connection) -> None:
    stranger = await ledger.connect("postgres")
    async with stranger.transaction():
        await stranger.execute(LOCK, ledger.id, "alice")
        waiting = start(ledger.pay(first, "k", "alice", "bob", 1))
        await wait_until_blocked(ledger.observer, first, by=stranger)
        pid = first.get_server_pid()
        assert await ledger.observer.fetchval("select pg_cancel_backend($1)", pid)
        with pytest.raises(asyncpg.QueryCanceledError):
            await waiting
    assert await ledger.keys() == 0
    assert (await ledger.pay(first, "k", "alice", "bob", 1)).replayed is False


@pytest.mark.parametrize("plan", ["by index", "by heap"])
@pytest.mark.parametrize("description", [None, "by the general path"])
@pytest.mark.parametrize(("from_", "to"), [("z-older", "a-newer"), ("a-newer", "z-older")])
async def test_rows_are_locked_in_the_order_of_their_codes(
    ledger: Ledger,
    first: Connection,
    second: Connection,
    from_: str,
    to: str,
    description: str | None,
    plan: str,
) -> None:
    """One who waits for the account with the lowest code holds none of the others.

    Also where the planner takes a way that comes to the rows as they lie.
    """
    if plan == "by heap":
        await first.execute("set enable_indexscan = off; set enable_indexonlyscan = off")
    await ledger.open("z-older", 500)
    await ledger.open("a-newer", 500)
    stranger = await ledger.connect("postgres")
    async with stranger.transaction():
        await stranger.execute(LOCK, ledger.id, "a-newer")
        waiting = start(ledger.pay(first, "k", from_, to, 1, description))
        await wait_until_blocked(ledger.observer, first, by=stranger)
        await second.execute("set lock_timeout = '1ms'")
        assert (await ledger.pay(second, "k2", "alice", "z-older", 1)).outcome == "posted"
    assert (await waiting).outcome == "posted"
