"""What a poll of the feed costs when there is nothing to tell, by number of partitions."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

import asyncpg

from bench.findings import Findings
from bench.harness import percentile
from bench.tools.batches import POST, make_batch
from bench.tools.lab import ACCOUNTS, Lab

PARTITIONS = (1, 12, 60)
DATABASE = "bench_feed"
PAYMENTS = 1000

_POLL = "select next_cursor, payment_count from ledger.read_changes($1)"
# The current month's partition comes first; those of later months are empty, as in a real ledger.
_TRIM = """
do $$
declare
  v_table text;
begin
  for v_table in
    select format('ledger.%I', relname)
    from (
      select c.relname, row_number() over (partition by p.relname order by c.relname) as number
      from pg_inherits i
      join pg_class c on c.oid = i.inhrelid
      join pg_class p on p.oid = i.inhparent
      where p.relname in ('payments', 'ledger_entries')
        and p.relkind = 'p'
        and c.relname not like '%_default'
    ) s
    where number > current_setting('bench.partitions')::int
  loop
    execute 'drop table ' || v_table;
  end loop;
end
$$
"""


def measure(lab: Lab) -> Findings:
    """Each of payments and of ledger_entries; the empty default partition comes on top."""
    lab.server.create_database(DATABASE)
    try:
        lab.install(DATABASE)
        lab.create_accounts("bench", ACCOUNTS, DATABASE)
        polls = asyncio.run(_measure(lab.admin_dsn(DATABASE), lab.scale.samples))
    finally:
        lab.server.drop_database(DATABASE)
    return Findings(
        {f"feed_poll_ms_{number}": statistics.median(times) for number, times in polls.items()},
        {f"p99_ms_{number}": percentile(times, 99) for number, times in polls.items()},
    )


async def _measure(dsn: str, samples: int) -> dict[int, list[float]]:
    """From the most partitions to the fewest, each on a new connection."""
    polls = {}
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        f"update ledger_private.settings set partitions_ahead = {PARTITIONS[-1]}"
    )
    await connection.execute("select ledger.maintain_partitions()")
    await connection.fetch(POST, make_batch(PAYMENTS).document())
    await connection.close()
    for number in reversed(PARTITIONS):
        connection = await asyncpg.connect(dsn, server_settings={"bench.partitions": str(number)})
        await connection.execute(_TRIM)
        polls[number] = await _poll(connection, samples)
        await connection.close()
    return dict(reversed(polls.items()))


async def _poll(connection: asyncpg.Connection[Any], samples: int) -> list[float]:
    """Milliseconds; a session's first polls plan their statements."""
    statement = await connection.prepare(_POLL)
    cursor = await statement.fetchval(None)
    times = []
    for number in range(-20, samples):
        begun = time.perf_counter()
        cursor = await statement.fetchval(cursor)
        if number >= 0:
            times.append((time.perf_counter() - begun) * 1000)
    return times
