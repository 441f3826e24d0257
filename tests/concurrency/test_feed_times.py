"""The feed and the clock: ids of other times are read too, and polls stay cheap."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from typing import TYPE_CHECKING

import pytest
from support.feeds import ChangesReader, due_for_a_sweep, open_feed
from support.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.databases import Connection
    from support.feeds import Feed
    from support.servers import Server

# What a wrong clock would leave, or a transaction that takes weeks.
OTHER_TIMES = """
create or replace function ledger_private.new_payment_id() returns uuid language sql volatile as $$
  select (
    left(
      ledger_private.payment_id_at(
        clock_timestamp() + coalesce(current_setting('tests.off_by', true), '0')::interval
      )::text,
      14
    ) || '7' || substr(gen_random_uuid()::text, 16)
  )::uuid
$$
"""
POLLED_PARTITIONS = """
select array_agg(distinct i.indrelid::regclass::text)
from pg_locks l
join pg_index i on i.indexrelid = l.relation
join pg_inherits h on h.inhrelid = i.indrelid
where l.pid = pg_backend_pid()
  and h.inhparent = 'ledger.payments'::regclass
"""


@pytest.fixture(scope="module")
def database_of_other_times(server: Server) -> str:
    """Its payment ids are off by the setting tests.off_by."""
    name = server.new_database()
    server.sql(OTHER_TIMES, name)
    return name


@pytest.fixture
async def feed(server: Server, database_of_other_times: str) -> AsyncIterator[Feed]:
    async with open_feed(server, database_of_other_times) as feed:
        yield feed


@pytest.mark.parametrize("off_by", ["-40 days", "-61 minutes", "61 minutes", "50 years"])
async def test_a_payment_whose_id_is_of_another_time_is_found_within_a_moment(
    feed: Feed, off_by: str
) -> None:
    await feed.writer.execute(f"set tests.off_by = '{off_by}'")
    committed = {await feed.post("before-the-first-poll", by=feed.writer)}
    await feed.reader.window()
    for n in range(2):
        stray = await feed.post(f"stray-{n}", by=feed.writer)
        normal = await feed.post_aside(f"normal-{n}")
        committed |= {stray, normal}
        assert normal in await feed.reader.window()
        await feed.reader.until_read(stray)
    async with feed.writer.transaction():
        late = await feed.post("late", by=feed.writer)
        early = await feed.post_aside("early")
        await feed.reader.until_read(early)
        feed.reader.cursor = due_for_a_sweep(feed.reader.cursor)
        await feed.reader.window()
    await feed.reader.until_read(late)
    feed.reader.assert_exactly_once(committed | {late, early})
    feed.reader.assert_no_version_missing()


@pytest.mark.parametrize("off_by", ["-61 minutes", "61 minutes"])
async def test_what_a_payment_with_an_id_of_another_time_made_is_told_by_the_next_sweep(
    feed: Feed, off_by: str
) -> None:
    reader = await ChangesReader(feed.reader.con, sweeping=False).start_at_end()
    await feed.writer.execute(f"set tests.off_by = '{off_by}'")
    async with feed.writer.transaction():
        await feed.post("late", "a5", "a6", by=feed.writer)
        await feed.post("stray", by=await off(feed, off_by))
        await feed.post_aside("normal")
        assert await reader.window() == {"a3 v1 -1", "a4 v1 1"}
        assert await reader.window() == set()
        reader.sweeping = True
        assert await reader.window() == {"a1 v1 -1", "a2 v1 1"}
    assert await reader.window() == {"a5 v1 -1", "a6 v1 1"}
    assert await reader.window() == set()
    await reader.assert_current(feed)


async def off(feed: Feed, off_by: str) -> Connection:
    """Another one whose ids are of that time."""
    con = await feed.books.connect()
    await con.execute(f"set tests.off_by = '{off_by}'")
    return con


async def test_ids_at_the_edges_of_the_range_are_read_once_while_it_moves(feed: Feed) -> None:
    committed = set()
    sweeps: set[int] = set()
    async with asyncio.timeout(PATIENCE_SECONDS):
        for n in itertools.count():
            edge = random.choice([-3600, 3600]) + random.uniform(-1, 1)
            await feed.writer.execute(f"set tests.off_by = '{edge} seconds'")
            committed.add(await feed.post(f"k{n}", by=feed.writer))
            await feed.reader.window(random.choice([1, 1000]))
            sweeps.add(json.loads(feed.reader.cursor or "")["swept_at"])
            if len(sweeps) == 5:
                break
    feed.reader.cursor = due_for_a_sweep(feed.reader.cursor)
    await feed.reader.window()
    feed.reader.assert_exactly_once(committed)
    feed.reader.assert_no_version_missing()


async def test_a_poll_opens_the_partition_of_the_hour_and_a_sweep_all(feed: Feed) -> None:
    for year in range(1971, 1991):
        await feed.observer.execute(
            f"select ledger_private.build_partition('payments', 'payments_{year}');"
            f"select ledger_private.attach_partition('payments', 'payments_{year}', "
            f"ledger_private.payment_id_at('{year}-01-01Z'), "
            f"ledger_private.payment_id_at('{year + 1}-01-01Z'))"
        )
    polled: dict[bool, int] = {}
    for sweep in (True, False):
        if sweep:
            feed.reader.cursor = due_for_a_sweep(feed.reader.cursor)
        async with feed.reader.con.transaction():
            await feed.reader.window()
            polled[sweep] = len(await feed.reader.con.fetchval(POLLED_PARTITIONS))
    assert polled[True] > 20
    assert polled[False] <= 2  # two in the first and last hour of a partition
