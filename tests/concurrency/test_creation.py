"""Accounts and ledgers that are made while others post to them, or make them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.payments import item, start
from support.waiting import wait_until_blocked

if TYPE_CHECKING:
    from support.databases import Connection
    from support.payments import Ledger

LOCK = "select from ledger.accounts where ledger_id = $1 and code = $2 for update"
CREATE = "select created from ledger.create_account('new', 'USD', p_ledger_id => $1)"


@pytest.fixture(autouse=True)
async def accounts(ledger: Ledger) -> None:
    for code, amount in (("alice", 500), ("bob", 0), ("carol", 500)):
        await ledger.open(code, amount)


@pytest.fixture
async def first(ledger: Ledger) -> Connection:
    return await ledger.connect()


@pytest.fixture
async def second(ledger: Ledger) -> Connection:
    return await ledger.connect()


async def test_an_account_that_is_not_committed_yet_is_unknown(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        await first.execute(CREATE, ledger.id)
        await second.execute("set lock_timeout = '1ms'")
        result = await ledger.pay(second, "k", "alice", "new", 1)
        assert (result.outcome, result.code) == ("invalid", "unknown_account")
        assert (await ledger.pay(first, "k1", "alice", "new", 1)).versions["new"] == 1
    assert (await ledger.pay(second, "k", "alice", "new", 1)).versions["new"] == 2


@pytest.mark.parametrize("call", ["single", "batch"])
async def test_an_account_created_while_a_payment_waits_for_its_locks_gets_no_version_twice(
    ledger: Ledger, first: Connection, second: Connection, call: str
) -> None:
    """It was not locked with the others. Found later and not locked, it gets two versions 1."""
    stranger = await ledger.connect("postgres")

    async def pay_new() -> str | None:
        if call == "single":
            return (await ledger.pay(first, "k", "alice", "new", 1)).code
        # Two, since one that comes alone is posted as a single one is.
        items = [item("k", "alice", "new", 1), item("k2", "alice", "nobody", 1)]
        return (await ledger.pay_many(first, items))[0].code

    async with stranger.transaction():
        await stranger.execute(LOCK, ledger.id, "alice")
        waiting = start(pay_new())
        await wait_until_blocked(ledger.observer, first, by=stranger)
        assert await second.fetchval(CREATE, ledger.id)
        transaction = second.transaction()
        await transaction.start()
        assert (await ledger.pay(second, "other", "carol", "new", 5)).versions["new"] == 1
    if call == "single":
        assert await waiting in ("unknown_account", "account_busy")
        await transaction.commit()
    else:  # an item of a batch locks once more what it names, and so may find the account
        await wait_until_blocked(ledger.observer, first, by=second)
        await transaction.commit()
        assert await waiting is None
    await ledger.pay(first, "k", "alice", "new", 1)
    assert await ledger.balance("new") == (6, 2)


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
async def test_two_create_the_same_account_and_one_makes_it(
    ledger: Ledger, first: Connection, second: Connection, commits: bool
) -> None:
    transaction = first.transaction()
    await transaction.start()
    assert await first.fetchval(CREATE, ledger.id) is True
    other = start(second.fetchval(CREATE, ledger.id))
    await wait_until_blocked(ledger.observer, second, by=first)
    await (transaction.commit() if commits else transaction.rollback())
    assert await other is not commits
    sql = "select count(*) from ledger.accounts where ledger_id = $1 and code = 'new'"
    assert await ledger.observer.fetchval(sql, ledger.id) == 1


async def test_two_create_the_same_account_with_other_content_and_the_second_is_told(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    async with first.transaction():
        await first.execute(CREATE, ledger.id)
        other = start(
            second.fetchval(
                "select ledger.create_account('new', 'EUR', p_ledger_id => $1)", ledger.id
            )
        )
        await wait_until_blocked(ledger.observer, second, by=first)
    with pytest.raises(asyncpg.PostgresError) as refused:
        await other
    assert refused.value.sqlstate == "LG610"


@pytest.mark.parametrize("commits", [True, False], ids=["commits", "rolls back"])
async def test_two_create_the_same_ledger_and_one_makes_it(
    ledger: Ledger, first: Connection, second: Connection, commits: bool
) -> None:
    name = f"new-{ledger.id}"
    sql = "select created from ledger.create_ledger($1)"
    transaction = first.transaction()
    await transaction.start()
    assert await first.fetchval(sql, name) is True
    other = start(second.fetchval(sql, name))
    await wait_until_blocked(ledger.observer, second, by=first)
    await (transaction.commit() if commits else transaction.rollback())
    assert await other is not commits
