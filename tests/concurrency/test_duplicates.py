"""Two transactions with the same key at the same time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from support.payments import item, start
from support.waiting import wait_until_blocked

if TYPE_CHECKING:
    from support.databases import Connection
    from support.payments import Ledger


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


async def test_a_duplicate_waits_for_the_first_and_gets_its_answer(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        posted = await ledger.pay(first, "k", "alice", "bob", 100)
        duplicate = start(ledger.pay(second, "k", "alice", "bob", 100))
        await wait_until_blocked(ledger.observer, second, by=first)
    replayed = await duplicate
    assert (posted.replayed, replayed.replayed) == (False, True)
    assert replayed.body == posted.body
    assert await ledger.balance("alice") == (400, 2)


async def test_a_duplicate_of_a_payment_that_rolls_back_posts(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    transaction = first.transaction()
    await transaction.start()
    lost = await ledger.pay(first, "k", "alice", "bob", 100)
    duplicate = start(ledger.pay(second, "k", "alice", "bob", 100))
    await wait_until_blocked(ledger.observer, second, by=first)
    await transaction.rollback()
    posted = await duplicate
    assert (posted.outcome, posted.replayed) == ("posted", False)
    assert posted.payment_id != lost.payment_id
    assert await ledger.balance("alice") == (400, 2)


async def test_a_duplicate_of_a_payment_whose_session_dies_posts(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    await first.execute("begin")
    await ledger.pay(first, "k", "alice", "bob", 100)
    duplicate = start(ledger.pay(second, "k", "alice", "bob", 100))
    await wait_until_blocked(ledger.observer, second, by=first)
    await ledger.observer.execute("select pg_terminate_backend($1)", first.get_server_pid())
    assert (await duplicate).replayed is False
    assert await ledger.balance("alice") == (400, 2)


async def test_a_duplicate_of_a_rejected_payment_gets_the_rejection(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        rejected = await ledger.pay(first, "k", "alice", "bob", 501)
        # It would be posted, had the first one not been refused.
        await ledger.pay(first, "more", "world", "alice", 100)
        duplicate = start(ledger.pay(second, "k", "alice", "bob", 501))
        await wait_until_blocked(ledger.observer, second, by=first)
    replayed = await duplicate
    assert (rejected.outcome, rejected.replayed) == ("rejected", False)
    assert (replayed.outcome, replayed.replayed) == ("rejected", True)
    assert replayed.body == rejected.body
    assert await ledger.balance("alice") == (600, 2)


async def test_a_duplicate_of_a_rejected_payment_that_rolls_back_is_judged_anew(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    transaction = first.transaction()
    await transaction.start()
    await ledger.pay(first, "spent", "alice", "bob", 500)
    assert (await ledger.pay(first, "k", "alice", "bob", 100)).outcome == "rejected"
    duplicate = start(ledger.pay(second, "k", "alice", "bob", 100))
    await wait_until_blocked(ledger.observer, second, by=first)
    await transaction.rollback()
    assert (await duplicate).outcome == "posted"


@pytest.mark.parametrize("commits", [True, False], ids=["first commits", "first rolls back"])
@pytest.mark.parametrize(
    ("from_", "to", "amount"),
    [("alice", "bob", 99), ("bob", "alice", 100), ("carol", "dave", 100)],
    ids=["other amount", "other way", "other accounts"],
)
async def test_the_same_key_for_another_payment_waits_too(
    ledger: Ledger,
    first: Connection,
    second: Connection,
    commits: bool,
    from_: str,
    to: str,
    amount: int,
) -> None:
    transaction = first.transaction()
    await transaction.start()
    await ledger.pay(first, "k", "alice", "bob", 100)
    other = start(ledger.pay(second, "k", from_, to, amount))
    await wait_until_blocked(ledger.observer, second, by=first)
    await (transaction.commit() if commits else transaction.rollback())
    result = await other
    if commits:
        assert (result.outcome, result.code) == ("conflict", "key_reused")
    elif from_ == "bob":
        assert (result.outcome, result.code) == ("rejected", "insufficient_funds")
    else:
        assert (result.outcome, result.replayed) == ("posted", False)
    assert await ledger.keys() == 1


async def test_a_refusal_and_a_payment_race_for_one_key_and_one_wins(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        assert (await ledger.pay(first, "k", "alice", "bob", 501)).outcome == "rejected"
        other = start(ledger.pay(second, "k", "carol", "dave", 1))
        await wait_until_blocked(ledger.observer, second, by=first)
    assert (await other).code == "key_reused"
    assert await ledger.balance("carol") == (500, 1)


async def test_a_batch_waits_for_a_duplicate_of_one_of_its_payments(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        posted = await ledger.pay(first, "k2", "alice", "bob", 100)
        batch = start(
            ledger.pay_many(
                second,
                [
                    item("k1", "carol", "dave", 1),
                    item("k2", "alice", "bob", 100),
                    item("k3", "alice", "bob", 1),
                ],
            )
        )
        await wait_until_blocked(ledger.observer, second, by=first)
    results = await batch
    assert [result.outcome for result in results] == ["posted"] * 3
    assert [result.replayed for result in results] == [False, True, False]
    assert results[1].body == posted.body
    assert results[2].versions["alice"] == 3


async def test_batches_that_meet_at_their_keys_alone_post_each_key_once(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    """Their accounts differ, so no account lock puts them in order. One may lose a deadlock;
    nothing of it is then left, and a retry is answered."""

    async def insist(con: Connection, payments: list[dict[str, Any]]) -> list[str]:
        while True:
            try:
                return [result.outcome for result in await ledger.pay_many(con, payments)]
            except asyncpg.DeadlockDetectedError:
                continue

    for n in range(3):
        payments = [item(f"k{n}-{m}", "alice", "bob", 1) for m in range(20)]
        others = [item(f"k{n}-{m}", "carol", "dave", 1) for m in reversed(range(20))]
        one, other = start(insist(first, payments)), start(insist(second, others))
        assert sorted([*await one, *await other]) == ["conflict"] * 20 + ["posted"] * 20


async def test_a_batch_claims_its_keys_in_their_order(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    """One who waits for the first key holds none of the others, in whatever order they came."""
    for code in ("eve", "frank"):
        await ledger.open(code, 500)
    third = await ledger.connect()
    async with first.transaction():
        await ledger.pay(first, "k1", "carol", "dave", 1)
        payments = [item("k2", "alice", "bob", 1), item("k1", "alice", "bob", 1)]
        batch = start(ledger.pay_many(second, payments))
        await wait_until_blocked(ledger.observer, second, by=first)
        await third.execute("set lock_timeout = '1ms'")
        assert (await ledger.pay(third, "k2", "eve", "frank", 1)).outcome == "posted"
    assert [result.outcome for result in await batch] == ["conflict", "conflict"]


async def test_transactions_that_use_each_other_s_keys_deadlock_and_the_loser_can_retry(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    """What a caller's own transactions can do to each other: an error, and never a double."""
    await first.execute("begin")
    await second.execute("begin")
    await ledger.pay(first, "k1", "alice", "bob", 1)
    await ledger.pay(second, "k2", "carol", "dave", 1)

    async def cross(con: Connection, key: str, from_: str, to: str) -> str:
        try:
            outcome = (await ledger.pay(con, key, from_, to, 1)).outcome
        except asyncpg.DeadlockDetectedError:
            await con.execute("rollback")
            return "deadlock"
        await con.execute("commit")
        return outcome

    crossing = start(cross(first, "k2", "alice", "bob"))
    await wait_until_blocked(ledger.observer, first, by=second)
    outcomes = [await cross(second, "k1", "carol", "dave"), await crossing]
    assert sorted(outcomes) == ["deadlock", "posted"]
    retried = [
        await ledger.pay(first, "k1", "alice", "bob", 1),
        await ledger.pay(first, "k2", "alice", "bob", 1),
    ]
    codes = {result.code for result in retried}
    assert codes in ({None}, {"key_reused"})
    assert await ledger.keys() == 2
