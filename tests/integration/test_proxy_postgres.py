"""An acknowledgement lost after the commit, with a real PostgreSQL and the real protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from loadgen.proxy.postgres import PostgresWire

if TYPE_CHECKING:
    from support.payments import Ledger

PAY = (
    "select outcome, replayed from ledger.post_payment($1, 'world', 'alice', 5, 'USD',"
    " p_ledger_id => $2)"
)


@asynccontextmanager
async def wired(ledger: Ledger) -> AsyncIterator[PostgresWire]:
    dsn = urlsplit(ledger.database.dsn())
    assert dsn.hostname is not None
    assert dsn.port is not None
    async with PostgresWire(dsn.hostname, dsn.port) as wire:
        yield wire


@asynccontextmanager
async def connection(ledger: Ledger, wire: PostgresWire) -> AsyncIterator[Any]:
    dsn = urlsplit(ledger.database.dsn())
    netloc = f"{dsn.username}:{dsn.password}@127.0.0.1:{wire.port}"
    con = await asyncpg.connect(dsn._replace(netloc=netloc).geturl())
    try:
        yield con
    finally:
        con.terminate()


async def payments(ledger: Ledger) -> int:
    count: int = await ledger.observer.fetchval(
        "select count(*) from ledger.payments where ledger_id = $1", ledger.id
    )
    return count


async def test_the_protocol_goes_through_unharmed(ledger: Ledger) -> None:
    async with wired(ledger) as wire, connection(ledger, wire) as con:
        assert await con.fetchval("select $1::int + 1", 41) == 42
        assert await con.execute("select 1; select 2") == "SELECT 1"
        with pytest.raises(asyncpg.DivisionByZeroError):
            await con.fetchval("select 1 / $1::int", 0)
        async with con.transaction():
            rows = [row["n"] async for row in con.cursor("select generate_series(1, 200) as n")]
        assert rows == list(range(1, 201))
        assert await con.fetchval("select length(repeat('x', 1000000))") == 1_000_000
        assert wire.dropped == 0


async def test_the_answer_to_commit_is_lost_and_the_payment_is_there(ledger: Ledger) -> None:
    await ledger.open("alice")
    async with wired(ledger) as wire:
        wire.drop_commit_answers(1)
        async with connection(ledger, wire) as con:
            await con.execute("begin")
            first = await con.fetchrow(PAY, "k", ledger.id)
            assert (first["outcome"], first["replayed"]) == ("posted", False)
            assert await payments(ledger) == 0
            with pytest.raises(asyncpg.ConnectionDoesNotExistError):
                await con.execute("commit")
        await wire.an_answer_dropped()
        assert (wire.dropped, await payments(ledger)) == (1, 1)
        async with connection(ledger, wire) as con:
            again = await con.fetchrow(PAY, "k", ledger.id)
            assert (again["outcome"], again["replayed"]) == ("posted", True)
    assert await payments(ledger) == 1


async def test_the_answer_to_a_statement_that_commits_itself_is_lost_after_its_commit(
    ledger: Ledger,
) -> None:
    await ledger.open("alice")
    async with wired(ledger) as wire, connection(ledger, wire) as con:
        assert await con.fetchval("select 1") == 1
        wire.drop_answers(1, lambda statement: "post_payment" in statement)
        assert await con.fetchval("select 2") == 2  # other statements are answered
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await con.fetchrow(PAY, "k", ledger.id)
        # Not before: had the commit not been done yet, this could still be 0.
        assert (wire.dropped, await payments(ledger)) == (1, 1)


async def test_only_as_many_answers_are_lost_as_were_asked_for(ledger: Ledger) -> None:
    await ledger.open("alice")
    async with wired(ledger) as wire:
        wire.drop_answers(2, lambda statement: "post_payment" in statement)

        async def pay(key: str) -> bool:
            async with connection(ledger, wire) as con:
                try:
                    await con.fetchrow(PAY, key, ledger.id)
                except asyncpg.ConnectionDoesNotExistError:
                    return False
                return True

        answered = await asyncio.gather(*(pay(f"k{number}") for number in range(6)))
    assert sorted(answered) == [False, False, True, True, True, True]
    assert await payments(ledger) == 6


async def test_a_cancel_request_goes_through(ledger: Ledger) -> None:
    async with wired(ledger) as wire, connection(ledger, wire) as con:
        with pytest.raises(TimeoutError):
            await con.fetch("select pg_sleep(60)", timeout=0.05)
        assert await con.fetchval("select 1") == 1
