"""A replay is an acknowledgement: it must be as durable as the answer it stands for."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from support.payments import Result, item, start
from support.waiting import wait_until_true

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection
    from support.payments import Ledger


@asynccontextmanager
async def waiting_for_a_standby(observer: Connection) -> AsyncIterator[None]:
    """Commits wait for a synchronous standby that never comes, until this ends."""
    await _set_standbys(observer, "nobody")
    try:
        yield
    finally:
        await _set_standbys(observer, "")


async def _set_standbys(observer: Connection, names: str) -> None:
    await observer.execute(f"alter system set synchronous_standby_names = '{names}'")
    await observer.execute("select pg_reload_conf()")
    await wait_until_true(
        observer, "select current_setting('synchronous_standby_names') = $1", names
    )


async def _until_it_waits(observer: Connection, session: Connection) -> None:
    await wait_until_true(
        observer,
        "select wait_event = 'SyncRep' from pg_stat_activity where pid = $1",
        session.get_server_pid(),
    )


@pytest.mark.parametrize("call", ["pay", "pay_many", "pay_many while the accounts are busy"])
@pytest.mark.parametrize("amount", [1, 10_000], ids=["posted", "rejected"])
async def test_a_replay_waits_for_the_standby_that_its_first_call_was_cut_off_from(
    ledger: Ledger, call: str, amount: int
) -> None:
    """Also one that locks nothing, so that nothing else makes its commit wait."""
    await ledger.open("alice", 500)
    await ledger.open("bob")
    first, second, stranger = [await ledger.connect() for _ in range(3)]
    busy = call.endswith("busy")

    async def retry() -> Result:
        if call == "pay":
            return await ledger.pay(second, "k", "alice", "bob", amount)
        payments = [item("k", "alice", "bob", amount)]
        return (await ledger.pay_many(second, payments, wait=not busy))[0]

    async with waiting_for_a_standby(ledger.observer):
        cut_off = start(ledger.pay(first, "k", "alice", "bob", amount))
        await _until_it_waits(ledger.observer, first)
        pid = first.get_server_pid()
        assert await ledger.observer.fetchval("select pg_cancel_backend($1)", pid)
        assert not (await cut_off).replayed  # with a warning that nobody has read

        holding = stranger.transaction()
        await holding.start()
        if busy:
            await ledger.pay(stranger, "other", "alice", "bob", 1)
        retried = start(retry())
        await _until_it_waits(ledger.observer, second)
        assert not retried.done()
        await holding.rollback()
    assert (await retried).replayed
