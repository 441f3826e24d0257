"""Retention at work while others retry, and partitions made while others hold locks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from support.payments import Ledger, item, start
from support.waiting import wait_until_blocked

if TYPE_CHECKING:
    from support.databases import Connection, Database

PURGE = "select ledger.purge_idempotency_keys(p_ledger_id => $1)"


@pytest.fixture(autouse=True)
async def accounts(ledger: Ledger) -> None:
    await ledger.open("alice", 500)
    await ledger.open("bob")


@pytest.fixture
async def first(ledger: Ledger) -> Connection:
    return await ledger.connect()


@pytest.fixture
async def second(ledger: Ledger) -> Connection:
    return await ledger.connect()


async def expire_keys(ledger: Ledger) -> None:
    """Makes every key of the ledger older than its retention, as superuser."""
    await ledger.observer.execute("select ledger.set_ledger_retention($1, '1 hour')", ledger.id)
    async with ledger.observer.transaction():
        # Takes a lock that posting would wait for, but no longer than this transaction.
        await ledger.observer.execute(
            "alter table ledger.idempotency_keys disable trigger refuse_change"
        )
        await ledger.observer.execute(
            "update ledger.idempotency_keys set created_at = created_at - interval '2 hours'"
            " where ledger_id = $1",
            ledger.id,
        )
        await ledger.observer.execute(
            "alter table ledger.idempotency_keys enable always trigger refuse_change"
        )


async def test_a_retry_during_a_purge_gets_the_old_answer_or_posts_anew(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    """It sees the key until the purge commits; what it sees, it answers."""
    old = await ledger.pay(first, "k", "alice", "bob", 1)
    await expire_keys(ledger)
    purger = await ledger.connect("postgres")
    async with purger.transaction():
        assert await purger.fetchval(PURGE, ledger.id) == 2
        retry = start(ledger.pay(second, "k", "alice", "bob", 1))
        # It tries to claim the key, which waits for the one who deletes it.
        await wait_until_blocked(ledger.observer, second, by=purger)
    new = await retry
    assert (new.outcome, new.replayed) == ("posted", False)
    assert new.payment_id != old.payment_id
    assert (await ledger.pay(first, "k", "alice", "bob", 1)).body == new.body
    assert await ledger.balance("alice") == (498, 3)


async def test_a_retry_during_a_purge_that_rolls_back_gets_the_old_answer(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    old = await ledger.pay(first, "k", "alice", "bob", 1)
    await expire_keys(ledger)
    purger = await ledger.connect("postgres")
    transaction = purger.transaction()
    await transaction.start()
    assert await purger.fetchval(PURGE, ledger.id) == 2
    retry = start(ledger.pay(second, "k", "alice", "bob", 1))
    await wait_until_blocked(ledger.observer, second, by=purger)
    await transaction.rollback()
    replayed = await retry
    assert (replayed.replayed, replayed.body) == (True, old.body)


PAUSE = """
alter function ledger_private.stored_outcome rename to really_stored_outcome;
create function ledger_private.stored_outcome(
  p_ledger_id int, p_idem_key text, p_fingerprint bytea
)
returns ledger.payment_result language plpgsql as $$
begin
  perform pg_advisory_xact_lock_shared(42);
  return ledger_private.really_stored_outcome(p_ledger_id, p_idem_key, p_fingerprint);
end
$$;
"""


async def test_a_key_that_is_purged_between_the_attempt_to_claim_it_and_the_look_at_it_is_free(
    database: Database,
) -> None:
    payer, purger = await database.connect("postgres"), await database.connect("postgres")
    observer = await database.connect("postgres")
    await payer.execute(PAUSE)
    await payer.execute("select ledger.set_ledger_retention(1, '1 hour')")
    books = Ledger(database, observer, 1)
    await books.open("alice", 500)
    old = await books.pay(payer, "k", "world", "alice", 1)
    await expire_keys(books)
    await purger.execute("select pg_advisory_lock(42)")
    retry = start(books.pay(payer, "k", "world", "alice", 1))
    await wait_until_blocked(observer, payer, by=purger)
    assert await purger.fetchval(PURGE, 1) == 2
    await purger.execute("select pg_advisory_unlock(42)")
    new = await retry
    assert (new.outcome, new.replayed) == ("posted", False)
    assert new.payment_id != old.payment_id
    assert await database.breaches() == []


async def test_a_refused_retry_during_a_purge_is_refused_anew(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    await ledger.pay(first, "k", "alice", "bob", 501)
    await expire_keys(ledger)
    purger = await ledger.connect("postgres")
    async with purger.transaction():
        assert await purger.fetchval(PURGE, ledger.id) == 2
        retry = start(ledger.pay(second, "k", "alice", "bob", 501))
        await wait_until_blocked(ledger.observer, second, by=purger)
    assert ((await retry).outcome, (await retry).replayed) == ("rejected", False)


async def test_two_purges_share_the_work_and_do_not_wait(ledger: Ledger, first: Connection) -> None:
    await ledger.pay_many(first, [item(f"k{n}", "alice", "bob", 1) for n in range(9)])
    await expire_keys(ledger)
    one, other = await ledger.connect("postgres"), await ledger.connect("postgres")
    limited = "select ledger.purge_idempotency_keys(4, $1)"
    async with one.transaction():
        assert await one.fetchval(limited, ledger.id) == 4
        await other.execute("set lock_timeout = '1ms'")
        assert await other.fetchval(PURGE, ledger.id) == 6
    assert await ledger.keys() == 0


async def test_purging_does_not_hold_up_payments(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    await ledger.pay(first, "k", "alice", "bob", 1)
    await expire_keys(ledger)
    purger = await ledger.connect("postgres")
    async with purger.transaction():
        await purger.fetchval(PURGE, ledger.id)
        await second.execute("set lock_timeout = '1ms'")
        assert (await ledger.pay(second, "k2", "alice", "bob", 1)).outcome == "posted"


async def test_purging_and_retrying_at_full_speed_keeps_the_books(
    ledger: Ledger, first: Connection, second: Connection
) -> None:
    """Every payment is made at least once, and each answer is of a payment that is there."""
    purger = await ledger.connect("postgres")
    done = asyncio.Event()

    async def purge() -> None:
        while not done.is_set():
            await expire_keys(ledger)
            await purger.fetchval(PURGE, ledger.id)

    async def retry(con: Connection) -> set[object]:
        return {
            (await ledger.pay(con, f"k{n % 5}", "alice", "bob", 1)).payment_id for n in range(60)
        }

    purging = start(purge())
    try:
        answered = set().union(*await asyncio.gather(retry(first), retry(second)))
    finally:
        done.set()
        await purging
    sql = "select array_agg(payment_id) from ledger.payments where ledger_id = $1"
    assert answered < set(await ledger.observer.fetchval(sql, ledger.id))
    balance, version = await ledger.balance("bob")
    assert balance == version == len(answered)


async def test_new_partitions_are_postponed_while_a_dump_runs_and_payments_go_on(
    database: Database,
) -> None:
    reader, payer = await database.connect("postgres"), await database.connect("postgres")
    maintainer = await database.connect("postgres")
    await payer.execute(
        "select ledger.create_account('a', 'USD', p_min_balance => null),"
        " ledger.create_account('b', 'USD')"
    )
    await payer.execute("update ledger_private.settings set partitions_ahead = 4")
    maintain = "select partition, action from ledger.maintain_partitions() order by 1"
    async with reader.transaction():
        # What pg_dump holds for as long as it runs.
        await reader.execute("lock table ledger.payments in access share mode")
        working = start(maintainer.fetch(maintain))
        await payer.execute("set lock_timeout = '1s'")
        posted = 0
        while not working.done():
            posted += 1
            await payer.execute(f"select ledger.post_payment('k{posted}', 'a', 'b', 1, 'USD')")
        done = {row["partition"].rpartition("_")[0]: row["action"] for row in await working}
    assert done == {"payments": "postponed: locked", "ledger_entries": "created"}
    assert [row["action"] for row in await maintainer.fetch(maintain)] == ["created"]
    assert await payer.fetchval("select version from ledger.get_balance('b')") == posted
    assert await maintainer.fetch(maintain) == []
    assert await database.breaches() == []
