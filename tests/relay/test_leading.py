"""Who leads, and how another one takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.relays import (
    RelayProcess,
    hearing,
    relaying,
    until_leading,
    until_row,
    versions,
)
from support.waiting import until

from service.relay import chores
from service.relay.relay import Relay

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection, Database

ACCOUNTS = (
    "select ledger.create_account('world', 'USD', p_min_balance => null),"
    " ledger.create_account('a', 'USD')"
)
RESTORED = (
    "insert into ledger.feed_epochs (system_identifier, timeline, reason)"
    " values (4711, '00000001', 'elsewhere')"
)


@pytest.fixture
async def admin(database: Database) -> AsyncIterator[Connection]:
    """A superuser; there are two accounts."""
    database.sql(ACCOUNTS)
    return await database.connect("postgres")


async def pay(con: Connection, key: str) -> None:
    outcome = await con.fetchval(
        "select outcome from ledger.post_payment($1, 'world', 'a', 1, 'USD')", key
    )
    assert outcome == "posted"


async def lease(con: Connection) -> tuple[int, str | None, bool]:
    """Term, holder, whether it runs."""
    row = await con.fetchrow(
        "select term, holder, ledger_private.is_lease_running(expires_at)"
        " from ledger_private.relay_lease"
    )
    assert row is not None
    return row[0], row[1], row[2]


async def test_one_leads_and_the_next_takes_over_when_it_ends(
    database: Database, admin: Connection
) -> None:
    async with hearing(database.dsn()) as ear, relaying(database.dsn()) as second:
        await until_leading(second)
        async with relaying(database.dsn()) as third:
            await until(lambda: third.problem is None, "it waits")
            assert (second.is_leading, third.is_leading) == (True, False)
            assert third.leader_term == 1
        assert third.counters.take_overs == 0
        async with relaying(database.dsn()) as third:
            await until(lambda: third.problem is None, "it waits")
            async with relaying(database.dsn()) as fourth:
                await until(lambda: fourth.problem is None, "it waits")
                assert sum(r.is_leading for r in (second, third, fourth)) == 1
        await ear.until_live()
        assert ear.trust.term == 1
    assert await lease(admin) == (1, await lease_holder(admin), False), "it was released"


async def lease_holder(con: Connection) -> str | None:
    return (await lease(con))[1]


async def test_a_released_lease_is_taken_at_once_and_listeners_drop_what_they_had(
    database: Database, admin: Connection
) -> None:
    async with hearing(database.dsn()) as ear:
        async with relaying(database.dsn()) as first:
            await until_leading(first)
            await ear.until_live()
            era, generation = ear.trust.era, ear.trust.generation
        # Nobody tells of this one: it comes before the next leader's first poll.
        await pay(admin, "between")
        async with relaying(database.dsn()) as second:
            await until_leading(second)
            await until(lambda: ear.trust.term >= 2, "the second term")
            await ear.until_live()
            assert ear.trust.era > era
            assert ear.trust.generation != generation
            assert versions(ear.heard, "a") == []
            await pay(admin, "after")
            await ear.until_heard("a", 2)


async def test_a_relay_that_is_stopped_loses_the_lease_and_tells_nothing_when_it_wakes(
    database: Database, admin: Connection
) -> None:
    stopped = await RelayProcess.start(database.dsn())
    try:
        await stopped.until_says("leads")
        async with hearing(database.dsn()) as ear:
            await ear.until_live()
            stopped.freeze()
            await ear.until_suspect()
            async with relaying(database.dsn()) as other:
                await until_leading(other)
                await until(lambda: ear.trust.term >= 2, "the second term")
                await ear.until_live()
                await pay(admin, "k")
                await ear.until_heard("a", 1)
                ignored = ear.counters.notices_ignored

                stopped.thaw()
                # Or its connection has had nothing from it for too long.
                await stopped.until_says("lease is lost", "no relay here")
                assert ear.counters.notices_ignored == ignored, "it was not even sent"
                await pay(admin, "k2")
                await ear.until_heard("a", 2)
                assert (ear.trust.term, other.is_leading) == (2, True)
                assert versions(ear.heard, "a") == [1, 2]
    finally:
        await stopped.end()


async def test_a_leader_whose_connection_is_lost_begins_a_new_term(
    database: Database, admin: Connection
) -> None:
    async with hearing(database.dsn()) as ear, relaying(database.dsn()) as relay:
        await until_leading(relay)
        await ear.until_live()
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where application_name = 'payledger relay' and datname = current_database()"
        )
        await until(lambda: ear.trust.term >= 2, "the second term")
        await ear.until_live()
        assert relay.counters.relay_failures == 1
        await pay(admin, "k")
        await ear.until_heard("a", 1)


async def test_a_feed_that_begins_a_new_epoch_is_followed(
    database: Database, admin: Connection
) -> None:
    async with hearing(database.dsn()) as ear, relaying(database.dsn()) as relay:
        await until_leading(relay)
        await ear.until_live()
        await admin.execute("select ledger.start_epoch('a test')")
        await until(lambda: ear.trust.term >= 2, "the second term")
        await pay(admin, "k")
        await ear.until_heard("a", 1)


async def test_after_a_restore_nobody_leads_until_the_epoch_is_started_and_the_reason_is_said(
    database: Database, admin: Connection
) -> None:
    async with hearing(database.dsn()) as ear, relaying(database.dsn()) as relay:
        await until_leading(relay)
        await ear.until_live()
        await admin.execute(RESTORED)
        await until(lambda: relay.problem == "feed_history_changed", "the reason")
        await ear.until_suspect()
        assert not relay.is_leading
        await pay(admin, "k")
        await until(lambda: relay.counters.relay_failures > 2, "it tries again")
        term, _, runs = await lease(admin)
        assert (term, runs) == (1, False), "none is taken meanwhile"
        await admin.execute("select ledger.start_epoch('restored')")
        await until_leading(relay)
        await ear.until_live()
        assert relay.problem is None
        assert (await lease(admin))[0] == 2
        await pay(admin, "k2")
        await ear.until_heard("a", 2)


async def test_a_database_that_cannot_be_reached_is_told(database: Database) -> None:
    dsn = database.dsn().rpartition("/")[0] + "/nowhere"
    async with relaying(dsn) as relay, hearing(dsn) as ear:
        await until(lambda: relay.counters.relay_failures > 1, "it tries again")
        assert relay.problem is not None
        assert not relay.is_leading
        assert ear.listener.problem is not None
        assert not ear.listener.is_listening


async def test_the_leader_makes_partitions_and_deletes_expired_keys(
    database: Database, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "_KEYS_A_CALL", 2)
    monkeypatch.setattr(chores, "LOOK_SECONDS", 0.01)
    await admin.execute(
        "update ledger_private.settings set partitions_ahead = partitions_ahead + 2;"
        "select ledger.set_ledger_retention(1, '1 hour');"
        "insert into ledger.idempotency_keys"
        " (ledger_id, key, fingerprint, outcome, render_version, created_at)"
        " select 1, 'old-' || n, sha256('x'), '{}', 1, now() - interval '2 hours'"
        " from generate_series(1, 5) n"
    )
    await pay(admin, "young")
    async with relaying(database.dsn()) as relay:
        await until(lambda: relay.counters.keys_purged == 5, "the old keys are deleted")
        await until(lambda: relay.counters.partitions_made == 4, "partitions are made")
    assert await admin.fetch("select key from ledger.idempotency_keys") == [("young",)]
    assert relay.counters.chore_failures == 0


async def test_chores_that_wait_hold_up_nothing_and_are_done_later(
    database: Database, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "POSTPONED_SECONDS", 0.0)
    monkeypatch.setattr(chores, "LOOK_SECONDS", 0.01)
    await admin.execute(
        "update ledger_private.settings set partitions_ahead = partitions_ahead + 1"
    )
    reader = await database.connect("postgres")
    async with hearing(database.dsn()) as ear, relaying(database.dsn()) as relay:
        async with reader.transaction():
            await reader.execute("lock table ledger.payments in share update exclusive mode")
            await until_row(
                admin,
                "select exists (select from pg_stat_activity where wait_event_type = 'Lock'"
                " and application_name = 'payledger relay chores'"
                " and datname = current_database())",
            )
            await ear.until_live()
            await pay(admin, "k")
            await ear.until_heard("a", 1)
        await until(lambda: relay.counters.partitions_made == 2, "they are made")


async def test_a_defect_does_not_end_it(
    database: Database, admin: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, broken = Relay._lead_or_wait, [True]

    async def breaks(self: Relay, session: object) -> None:
        if broken:
            broken.clear()
            raise ZeroDivisionError
        await take(self, session)  # type: ignore[arg-type]

    monkeypatch.setattr(Relay, "_lead_or_wait", breaks)
    async with relaying(database.dsn()) as relay:
        await until(lambda: relay.problem == "defect: ZeroDivisionError", "it is said")
        await until_leading(relay)
