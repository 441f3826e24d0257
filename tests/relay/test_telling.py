"""What the relay tells, whoever wrote it, and whom a listener believes."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg
import pytest
from support.relays import (
    Ear,
    Forger,
    hearing,
    relaying,
    until_leading,
    until_row,
    versions,
)
from support.waiting import until, wait_until_blocked

from service.cache import notices
from service.cache.model import Change
from service.database.relaying import relay_session
from service.relay import leader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection, Database

    from service.cache.notices import Notice
    from service.database.relaying import Told as Page
    from service.relay.relay import Relay

ACCOUNTS = "select ledger.create_account('world', 'USD', p_min_balance => null), " + ", ".join(
    f"ledger.create_account('{name}', 'USD')" for name in ("a", "b", "c")
)


@dataclass
class Told:
    """A database with accounts, a relay that leads, a listener that is live."""

    database: Database
    admin: Connection
    ear: Ear
    relay: Relay

    def psql(self, sql: str) -> str:
        return self.database.sql(sql)


@pytest.fixture
async def told(database: Database) -> AsyncIterator[Told]:
    database.sql(ACCOUNTS)
    async with AsyncExitStack() as stack:
        relay = await stack.enter_async_context(relaying(database.dsn()))
        ear = await stack.enter_async_context(hearing(database.dsn()))
        await until_leading(relay)
        await ear.until_live()
        yield Told(database, await database.connect("postgres"), ear, relay)


def pay(key: str, to: str = "a", amount: int = 1) -> str:
    return f"select ledger.post_payment('{key}', 'world', '{to}', {amount}, 'USD')"


async def test_what_is_posted_in_psql_is_heard_with_what_it_made_of_both_accounts(
    told: Told,
) -> None:
    told.psql(pay("k1", amount=5))
    assert await told.ear.until_heard("a", 1) == Change("a", 1, "USD", "5", "0")
    assert await told.ear.until_heard("world", 1) == Change("world", 1, "USD", "-5", "0")
    told.psql(pay("k2", amount=2))
    assert await told.ear.until_heard("a", 2) == Change("a", 2, "USD", "7", "0")
    assert told.ear.listener.counters.forged == 0
    counters = told.relay.counters  # counted after NOTIFY, which may be heard before
    await until(lambda: counters.payments_told == 2, "both payments were counted as told")


async def test_of_a_transaction_s_payments_the_newest_balance_is_told_and_of_a_rolled_back_none(
    told: Told,
) -> None:
    told.psql(f"begin; {pay('k1')}; {pay('k2')}; {pay('k3', 'b', 9)}; commit")
    told.psql(f"begin; {pay('k4')}; rollback")
    told.psql(pay("k5", "c"))
    await told.ear.until_heard("c", 1)
    assert versions(told.ear.heard, "a") == [2]
    assert await told.ear.until_heard("b", 1) == Change("b", 1, "USD", "9", "0")


async def test_more_changes_than_fit_into_one_message_or_page_are_all_told(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader, "_PAGE", 7)
    accounts = 150
    code = "'" + "x" * 110 + "-' || n"
    told.psql(
        f"select count(*) from generate_series(1, {accounts}) n,"
        f" ledger.create_account({code}, 'USD');"
        f"select count(*) from generate_series(1, {accounts}) n,"
        f" ledger.post_payment('m' || n, 'world', {code}, n, 'USD')"
    )
    for n in range(1, accounts + 1):
        change = await told.ear.until_heard("x" * 110 + f"-{n}", 1)
        assert change.balance == str(n)
    await told.ear.until_heard("world", accounts)


async def test_only_the_last_page_of_a_window_is_a_heartbeat(database: Database) -> None:
    """Before it, who believes to have heard all would not have."""
    database.sql(ACCOUNTS)
    admin = await database.connect("postgres")
    forger = await Forger.of(admin, admin)
    heard: list[Notice | None] = []
    await admin.add_listener(
        forger.channel, lambda *sent: heard.append(notices.decode(str(sent[-1]), forger.secret))
    )
    async with relay_session(database.dsn()) as session:

        async def tell(cursor: str | None, *, heartbeat: bool) -> Page:
            lease = await session.take_relay_lease("this test", "g")  # again, were it over
            return await session.tell_changes(lease.term, "g", cursor, 2, heartbeat=heartbeat)

        page = await tell(None, heartbeat=True)
        database.sql("; ".join(pay(f"k{n}", to) for n, to in enumerate("abcab")))
        pages = [page]
        for _ in range(3):
            page = await tell(page.cursor, heartbeat=True)
            pages.append(page)
        silent = await tell(page.cursor, heartbeat=False)
        await tell(page.cursor, heartbeat=True)
    assert [(page.leading, page.has_more, page.payments, page.messages) for page in pages] == [
        (True, False, 0, 1),
        (True, True, 2, 1),
        (True, True, 2, 1),
        (True, False, 1, 1),
    ]
    assert (silent.changes, silent.messages) == ("[]", 0)
    await until(lambda: len(heard) == 5, "a message of each page, and the last heartbeat")
    told = [notice for notice in heard if notice is not None]
    assert [notice.heartbeat is not None for notice in told] == [True, False, False, True, True]
    assert [[change.code for _, change in notice.changes] for notice in told] == [
        [change[0] for _, change in json.loads(page.changes)] for page in [*pages, silent]
    ]
    assert {notice.epoch for notice in told} == {forger.epoch}


async def test_who_does_not_lead_tells_nothing(database: Database) -> None:
    database.sql(ACCOUNTS)
    admin = await database.connect("postgres")
    forger = await Forger.of(admin, admin)
    heard: list[str] = []
    await admin.add_listener(forger.channel, lambda *sent: heard.append(str(sent[-1])))
    async with relay_session(database.dsn()) as session:
        assert not (await session.tell_changes(0, "g", None, 2, heartbeat=True)).leading
        lease = await session.take_relay_lease("this test", "g")
        for term in (lease.term - 1, lease.term + 1):
            told = await session.tell_changes(term, "g", None, 2, heartbeat=True)
            assert not told.leading
    await forger.send("the end")
    await until(lambda: bool(heard), "what was sent at the end")
    assert heard == ["the end"]


async def test_a_new_account_is_told_and_so_are_limits_and_status(told: Told) -> None:
    told.psql("select ledger.create_account('new', 'EUR', p_min_balance => null)")
    assert await told.ear.until_heard("new", 0) == Change("new", 0, "EUR", "0", "0")
    told.psql(pay("k"))
    await told.ear.until_heard("a", 1)
    told.psql("select ledger.set_account_status('a', 'frozen')")
    silent = Change("a", 1, "USD", None, None)
    await until(lambda: (1, silent) in told.ear.heard, "that it was frozen")
    told.ear.heard.clear()
    told.psql("select ledger.set_account_limits('a', -5, 500)")
    await until(lambda: (1, silent) in told.ear.heard, "its limits")
    # Each is told once: another payment follows, and nothing comes with it.
    told.ear.heard.clear()
    told.psql(pay("k2", "b"))
    await told.ear.until_heard("b", 1)
    assert {change.code for _, change in told.ear.heard} == {"b", "world"}


async def test_a_listener_that_is_killed_is_suspect_at_once_and_then_resynced(told: Told) -> None:
    era = told.ear.trust.era
    # So that it cannot come back before it was looked at.
    await told.admin.execute(
        "revoke execute on function ledger.notification_secret from ledger_relay"
    )
    killed = await told.admin.fetchval(
        "select count(pg_terminate_backend(pid)) from pg_stat_activity"
        " where application_name = 'payledger listener' and datname = current_database()"
    )
    assert killed == 1
    await until(lambda: not told.ear.listener.is_listening, "that it is lost")
    assert not told.ear.is_live
    told.psql(pay("unheard"))
    await told.admin.execute("grant execute on function ledger.notification_secret to ledger_relay")
    await told.ear.until_live()
    assert told.ear.trust.era > era, "what it had is dropped"
    assert told.ear.listener.counters.connections == 2
    told.psql(pay("heard"))
    assert (await told.ear.until_heard("a", 2)).balance == "2"


async def test_messages_that_are_not_the_relay_s_are_dropped_and_counted(told: Told) -> None:
    told.database.server.new_login("stranger")
    con = await told.database.connect("stranger")
    forger = await Forger.of(told.admin, con)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await con.execute("select * from ledger.notification_secret()")
    evil = Change("a", 99, "USD", "1000000", "0")
    scope = told.ear.trust.scope
    await forger.send(
        "", "garbage", "{}", "0" * 7_000, await forger.message(evil, secret=b"wrong", term=9)
    )
    await until(lambda: told.ear.listener.counters.forged == 5, "five forged ones")
    told.psql(pay("k"))
    await told.ear.until_heard("a", 1)
    assert versions(told.ear.heard, "a") == [1]
    assert told.ear.trust.term == told.relay.leader_term
    assert told.ear.is_live
    assert scope is not None


async def test_an_older_leader_that_wakes_up_late_is_ignored(told: Told) -> None:
    """Its connection is fine and its messages are signed; its term is over."""
    forger = await Forger.of(told.admin, told.admin)
    (old,) = [await forger.message(Change("a", 99, "USD", "1", "0"), term=0)]
    ignored = told.ear.counters.notices_ignored
    await forger.send(old)
    await until(lambda: told.ear.counters.notices_ignored > ignored, "it is ignored")
    told.psql(pay("k"))
    await told.ear.until_heard("a", 1)
    assert versions(told.ear.heard, "a") == [1]
    assert told.ear.trust.scope is not None
    assert told.ear.trust.scope.generation != "forged"


async def test_a_message_of_another_history_is_ignored(told: Told) -> None:
    forger = await Forger.of(told.admin, told.admin)
    ignored = told.ear.counters.notices_ignored
    await forger.send(await forger.message(Change("a", 99, "USD", "1", "0"), epoch="0" * 12))
    await until(lambda: told.ear.counters.notices_ignored > ignored, "it is ignored")
    assert versions(told.ear.heard, "a") == []


async def test_what_a_listener_has_heard_only_the_end_of_proves_nothing(
    database: Database,
) -> None:
    """Of the first message it hears, parts may have come while it was not listening yet."""
    admin = await database.connect("postgres")
    async with hearing(database.dsn()) as ear:
        forger = await Forger.of(admin, admin)
        await until(lambda: ear.listener.is_listening, "listening")
        await forger.send(await forger.message(Change("a", 1, None, "1", "0")))
        await ear.until_heard("a", 1)
        assert (ear.is_live, ear.listener.counters.heartbeats) == (False, 0)
        await forger.send(await forger.message(Change("b", 1, None, "1", "0"), lsn=2))
        await ear.until_heard("b", 1)
        await ear.until_live()
        assert ear.listener.counters.heartbeats == 1


async def test_a_heartbeat_that_comes_late_or_again_proves_nothing(database: Database) -> None:
    """No relay here: what comes was sent by somebody who kept it."""
    admin = await database.connect("postgres")
    async with hearing(database.dsn()) as ear:
        forger = await Forger.of(admin, admin)
        await until(lambda: ear.listener.is_listening, "listening")
        await forger.send(await forger.message())
        await forger.send(await forger.message(Change("a", 1, None, "1", "0"), age_seconds=5))
        await ear.until_heard("a", 1)  # told is told, and versions only go up
        await until(lambda: ear.listener.counters.heartbeats == 1, "the late one")
        assert not ear.is_live
        await forger.send(await forger.message(lsn=2))
        await ear.until_live()
        await forger.send(await forger.message(lsn=3, age_seconds=1.5))
        await until(lambda: ear.listener.counters.heartbeats == 3, "another late one")
        assert not ear.is_live


async def test_the_channel_is_not_one_that_anybody_can_guess(told: Told) -> None:
    con = await told.database.connect("payledger_migrator")
    forger = await Forger.of(told.admin, con)
    notices = told.ear.listener.counters.notices + told.ear.listener.counters.forged
    for channel in ("payledger", "payledger_", forger.channel.upper()):
        await con.execute("select pg_notify($1, 'x')", channel)
    told.psql(pay("k"))
    await told.ear.until_heard("a", 1)
    assert told.ear.listener.counters.forged == 0
    assert told.ear.listener.counters.notices > notices


async def test_locks_that_anybody_can_take_hold_up_nothing(told: Told) -> None:
    """Advisory locks, also the one that partition maintenance takes; the lease needs none."""
    con = await told.database.connect("payledger_migrator")
    await con.execute(
        "select pg_advisory_lock(n) from generate_series(0, 99) n;"
        "select pg_advisory_lock(hashtextextended('ledger.maintain_partitions', 0))"
    )
    async with relaying(told.database.dsn()):
        await told.admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'payledger relay' and datname = current_database()"
        )
        await until_row(
            told.admin,
            "select exists (select from pg_stat_activity where wait_event = 'advisory'"
            " and application_name = 'payledger relay chores' and datname = current_database())",
        )
        # What is posted from here on is after the new leader's first poll.
        await until(lambda: told.ear.trust.term > 1, "another leader")
        await told.ear.until_live()
        told.psql(pay("k"))
        await told.ear.until_heard("a", 1)


async def test_posting_goes_on_while_the_lease_is_locked(told: Told) -> None:
    """By an administrator in a transaction, say: then nobody leads, and that is all."""
    async with told.admin.transaction():
        await told.admin.execute("select * from ledger_private.relay_lease for update")
        await told.ear.until_suspect()
        told.psql(pay("k"))
    await told.ear.until_live()
    told.psql(pay("k2"))
    await told.ear.until_heard("a", 2)


async def test_payments_go_on_while_a_listener_s_open_transaction_keeps_the_queue(
    told: Told,
) -> None:
    keeper = await told.database.connect("payledger_migrator")
    await keeper.execute("listen something")
    await keeper.execute("begin; select 1")
    for n in range(8):
        await told.admin.execute("select pg_notify('other', $1 || repeat('x', 7900))", str(n))
    await until(lambda: told.relay.counters.notification_queue_usage > 0, "it is seen to grow")
    told.psql(pay("k"))
    await told.ear.until_heard("a", 1)
    assert told.ear.is_live
    assert await told.database.breaches() == []


async def test_a_transaction_that_stays_open_is_seen(told: Told) -> None:
    """Another login's: only its id, and that it stays, is there for all to see."""
    con = await told.database.connect("payledger_migrator")
    async with con.transaction():
        await con.execute("select pg_current_xact_id()")
        await until(lambda: told.relay.counters.oldest_transaction_seconds > 1, "it is seen")
        told.psql(pay("k"))
        await told.ear.until_heard("a", 1)
    await until(lambda: told.relay.counters.oldest_transaction_seconds < 1, "it is over")


async def test_a_payment_that_waits_for_a_long_transaction_is_told_when_it_is_committed(
    told: Told,
) -> None:
    con = await told.database.connect("postgres")
    async with con.transaction():
        await con.execute(pay("early"))
        other = await told.database.connect("postgres")
        waiting = asyncio.ensure_future(other.execute(pay("late")))
        await wait_until_blocked(told.admin, other, con)
        assert versions(told.ear.heard, "a") == []
    await waiting
    await told.ear.until_heard("a", 2)
