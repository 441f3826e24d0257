"""Posting inside the caller's own transactions: isolation levels, savepoints, durability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import asyncpg
import pytest
from support.payments import item, start
from support.waiting import wait_until_blocked

if TYPE_CHECKING:
    from support.databases import Connection
    from support.payments import Ledger

Isolation = Literal["repeatable_read", "serializable"]
STRICT: list[Isolation] = ["repeatable_read", "serializable"]


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


@pytest.mark.parametrize("isolation", STRICT)
@pytest.mark.parametrize(
    ("key", "from_", "to"),
    [("k", "alice", "bob"), ("k2", "alice", "bob"), ("k", "carol", "dave")],
    ids=["same payment", "same accounts", "same key"],
)
async def test_a_snapshot_from_before_a_payment_gets_40001_and_never_a_double(
    ledger: Ledger,
    first: Connection,
    second: Connection,
    isolation: Isolation,
    key: str,
    from_: str,
    to: str,
) -> None:
    await second.execute(f"begin isolation level {isolation.replace('_', ' ')}")
    await second.fetchval("select 1 from ledger.get_balance('alice', $1)", ledger.id)
    posted = await ledger.pay(first, "k", "alice", "bob", 1)
    with pytest.raises(asyncpg.SerializationError):
        await ledger.pay(second, key, from_, to, 1)
    await second.execute("rollback")
    again = await ledger.pay(second, key, from_, to, 1)
    if from_ == "carol":
        assert again.code == "key_reused"
    else:
        assert again.replayed is (key == "k")
        assert (again.body == posted.body) is (key == "k")
    assert await ledger.keys() == (2 if key == "k2" else 1)


@pytest.mark.parametrize("isolation", STRICT)
async def test_one_who_waited_in_a_strict_transaction_gets_40001_and_may_retry(
    ledger: Ledger, first: Connection, second: Connection, isolation: Isolation
) -> None:
    async with first.transaction():
        await ledger.pay(first, "k", "alice", "bob", 1)
        await second.execute(f"begin isolation level {isolation.replace('_', ' ')}")
        duplicate = start(ledger.pay(second, "k", "alice", "bob", 1))
        await wait_until_blocked(ledger.observer, second, by=first)
    with pytest.raises(asyncpg.SerializationError):
        await duplicate
    await second.execute("rollback")
    assert (await ledger.pay(second, "k", "alice", "bob", 1)).replayed
    assert await ledger.balance("alice") == (499, 2)


@pytest.mark.parametrize("isolation", STRICT)
async def test_a_strict_transaction_that_meets_nobody_posts_and_replays(
    ledger: Ledger, first: Connection, isolation: Isolation
) -> None:
    async with first.transaction(isolation=isolation):
        assert not (await ledger.pay(first, "k", "alice", "bob", 1)).replayed
        assert (await ledger.pay(first, "k", "alice", "bob", 1)).replayed
        assert (await ledger.pay(first, "k2", "alice", "bob", 1)).versions["alice"] == 3
        results = await ledger.pay_many(
            first, [item("k", "alice", "bob", 1), item("k3", "bob", "dave", 2)]
        )
        assert [result.replayed for result in results] == [True, False]
    assert await ledger.balance("alice") == (498, 3)


async def test_a_payment_in_a_transaction_that_rolls_back_leaves_nothing(
    ledger: Ledger, first: Connection
) -> None:
    transaction = first.transaction()
    await transaction.start()
    assert (await ledger.pay(first, "k", "alice", "bob", 1)).outcome == "posted"
    assert (await ledger.pay(first, "r", "alice", "bob", 999)).outcome == "rejected"
    await transaction.rollback()
    assert await ledger.keys() == 0
    assert await ledger.balance("alice") == (500, 1)
    assert (await ledger.pay(first, "k", "alice", "bob", 2)).replayed is False
    assert (await ledger.pay(first, "r", "alice", "bob", 3)).outcome == "posted"


async def test_savepoints_take_back_their_own_payments_alone(
    ledger: Ledger, first: Connection
) -> None:
    async with first.transaction():
        kept = await ledger.pay(first, "k1", "alice", "bob", 1)
        savepoint = first.transaction()
        await savepoint.start()
        await ledger.pay(first, "k2", "alice", "bob", 10)
        inner = first.transaction()
        await inner.start()
        await ledger.pay(first, "k3", "alice", "bob", 100)
        await inner.commit()
        await savepoint.rollback()
        assert (await ledger.pay(first, "k1", "alice", "bob", 1)).body == kept.body
        again = await ledger.pay(first, "k2", "alice", "bob", 20)
        assert (again.replayed, again.versions) == (False, {"alice": 3, "bob": 2})
    assert await ledger.balance("alice") == (479, 3)
    assert await ledger.keys() == 2


async def test_an_exception_block_takes_back_its_payment(ledger: Ledger, first: Connection) -> None:
    """What a caller's PL/pgSQL does; and a refusal that is raised frees its key."""
    async with first.transaction():
        await first.execute(
            """
            create function pg_temp.three(p_in int) returns void language plpgsql as $$
            begin
              begin
                perform ledger.post_payment('k1', 'alice', 'bob', 7, 'USD', p_ledger_id => p_in);
                perform 1 / 0;
              exception when division_by_zero then null;
              end;
              begin
                perform ledger.require_posted(
                  ledger.post_payment('k2', 'alice', 'bob', 999, 'USD', p_ledger_id => p_in));
              exception when sqlstate 'LG503' then null;
              end;
              perform ledger.post_payment('k3', 'alice', 'bob', 1, 'USD', p_ledger_id => p_in);
            end
            $$
            """
        )
        await first.fetchval("select pg_temp.three($1)", ledger.id)
    assert await ledger.keys() == 1
    assert await ledger.balance("alice") == (499, 2)


async def test_a_prepared_transaction_holds_its_key_until_it_is_decided(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    for decision, replayed in (("commit prepared", True), ("rollback prepared", False)):
        key = decision.replace(" ", "-")
        name = f"{ledger.id}-{key}"
        await first.execute("begin")
        await ledger.pay(first, key, "alice", "bob", 1)
        await first.execute(f"prepare transaction '{name}'")
        duplicate = start(ledger.pay(second, key, "alice", "bob", 1))
        await wait_until_blocked(ledger.observer, second)
        await first.execute(f"{decision} '{name}'")
        assert (await duplicate).replayed is replayed
    assert await ledger.balance("alice") == (498, 3)


async def test_later_versions_are_seen_by_a_transaction_that_began_before(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    """READ COMMITTED, the default: the payment sees what is committed when it locks."""
    async with second.transaction():
        await second.fetchval("select 1 from ledger.get_balance('alice', $1)", ledger.id)
        await ledger.pay(first, "k1", "alice", "bob", 1)
        assert (await ledger.pay(second, "k2", "alice", "bob", 1)).versions["alice"] == 3


@pytest.mark.parametrize("setting", ["off", "local"])
@pytest.mark.parametrize(
    "call",
    [
        "post_payment",
        "post_compound_payment",
        "post_payments",
        "post_payments in sets",
        "post_payments of one",
    ],
)
async def test_posting_makes_the_commit_durable_whatever_the_session_has(
    ledger: Ledger, first: Connection, setting: str, call: str
) -> None:
    posting = '{"from": "alice", "to": "bob", "amount": "1", "currency": "USD"}'

    def simple(key: str) -> str:
        return f'{{"idempotency_key": "{key}", {posting[1:]}'

    arguments = {
        "post_payment": "'k', 'alice', 'bob', 1, 'USD'",
        "post_compound_payment": f"'k', '[{posting}]'",
        "post_payments": f"""'[{{"idempotency_key": "k", "postings": [{posting}]}}]'""",
        # One that comes alone is posted as by post_payment.
        "post_payments in sets": f"'[{simple('k')}, {simple('k2')}]'",
        "post_payments of one": f"'[{simple('k')}]'",
    }[call]
    function = call.partition(" ")[0]
    await first.execute(f"set synchronous_commit = {setting}")
    async with first.transaction():
        assert await first.fetchval("show synchronous_commit") == setting
        await first.fetch(f"select ledger.{function}({arguments}, p_ledger_id => $1)", ledger.id)
        assert await first.fetchval("show synchronous_commit") == "on"
    assert await first.fetchval("show synchronous_commit") == setting
    assert await ledger.keys() == arguments.count("alice")


async def test_a_refusal_that_is_stored_is_durable_too(ledger: Ledger, first: Connection) -> None:
    await first.execute("set synchronous_commit = off")
    async with first.transaction():
        assert (await ledger.pay(first, "k", "alice", "bob", 999)).outcome == "rejected"
        assert await first.fetchval("show synchronous_commit") == "on"


@pytest.mark.parametrize("setting", ["on", "remote_apply", "remote_write"])
async def test_posting_leaves_a_stricter_setting_alone(
    ledger: Ledger, first: Connection, setting: str
) -> None:
    await first.execute(f"set synchronous_commit = {setting}")
    async with first.transaction():
        await ledger.pay(first, "k", "alice", "bob", 1)
        assert await first.fetchval("show synchronous_commit") == setting
