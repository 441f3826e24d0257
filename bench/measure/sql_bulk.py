"""Batches of 1,000 on one connection: plain SQL, post_payments, post_payments on a hot account."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import asyncpg

from bench.findings import Findings
from bench.harness import take_turns
from bench.tools.batches import make_batch, post_for
from bench.tools.lab import Lab
from bench.tools.pgbench import SQL

SIZE = 1000
SHARE = 4  # of the seconds of a round: a batch takes a twentieth of a second
MORE_ROUNDS = 2


def measure(lab: Lab) -> Findings:
    """Each statement is prepared, and each batch a transaction of its own."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(lab.app_dsn()))

        def posting(hot_percent: int, seconds: float) -> float:
            return runner.run(post_for(connection, seconds, SIZE, hot_percent=hot_percent))

        rounds = take_turns(
            {
                "plain": lambda seconds: runner.run(_insert_for(connection, seconds)),
                "uniform": partial(posting, 0),
                "hot": partial(posting, 100),
            },
            lab.scale.rounds * MORE_ROUNDS,
            lab.scale.seconds / SHARE,
        )
        runner.run(connection.close())
    return Findings(
        {
            "post_payments_vs_plain_bulk": rounds.ratio("uniform", "plain"),
            "post_payments_hot_vs_uniform": rounds.ratio("hot", "uniform"),
            "post_payments_per_s": rounds.median("uniform"),
        },
        rounds.figures,
    )


async def _insert_for(connection: asyncpg.Connection[Any], seconds: float) -> float:
    statement = await connection.prepare((SQL / "plain_bulk.sql").read_text())
    inserted, spent = 0, 0.0
    while spent < seconds:
        batch = make_batch(SIZE)
        begun = time.perf_counter()
        await statement.fetch(*batch)
        spent += time.perf_counter() - begun
        inserted += SIZE
    return inserted / spent
