"""The batch endpoint, 500 payments a request, beside post_payments with the same batches."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import asyncpg

from bench.findings import Findings
from bench.harness import take_turns
from bench.tools.batches import POST, check_posted, make_batch
from bench.tools.lab import ACCOUNTS, Lab
from bench.tools.service import Service
from bench.tools.wrk import run

SIZE = 500
CONNECTIONS = 2  # batches of 500 meet on nearly every account: more of them only wait
MOST_PER_S = 60_000  # payments that are made ready: more than can be posted


def measure(lab: Lab) -> Findings:
    """Two connections on either side."""
    with lab.service() as service:
        rounds = take_turns(
            {"sql": partial(_by_sql, lab), "http": partial(_by_http, service)},
            lab.scale.rounds,
            lab.scale.seconds,
        )
    return Findings({"http_batch_vs_sql_batch": rounds.ratio("http", "sql")}, rounds.figures)


def _by_http(service: Service, seconds: float) -> float:
    variables = {
        "key": service.key,
        "path": service.path("payments/batch"),
        "accounts": ACCOUNTS,
        "size": SIZE,
    }
    load = run("batch", service.url, connections=CONNECTIONS, seconds=seconds, variables=variables)
    return load.sound().accepted_per_s * SIZE


def _by_sql(lab: Lab, seconds: float) -> float:
    # Made beforehand: while this process makes a batch, no connection is read from.
    documents = [make_batch(SIZE).document() for _ in range(round(seconds * MOST_PER_S / SIZE))]
    return asyncio.run(_post_all(lab.admin_dsn(), seconds, documents))


async def _post_all(dsn: str, seconds: float, documents: Sequence[str]) -> float:
    """Until the time or the batches are over, whichever is first."""
    connections = [await asyncpg.connect(dsn) for _ in range(CONNECTIONS)]
    waiting = iter(documents)

    async def post(connection: asyncpg.Connection[Any], end: float) -> int:
        statement = await connection.prepare(POST)
        posted = 0
        while time.perf_counter() < end and (document := next(waiting, None)) is not None:
            check_posted(await statement.fetch(document), SIZE)
            posted += SIZE
        return posted

    begun = time.perf_counter()
    posted = await asyncio.gather(*(post(each, begun + seconds) for each in connections))
    spent = time.perf_counter() - begun
    for each in connections:
        await each.close()
    return sum(posted) / spent
