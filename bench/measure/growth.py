"""post_payments in a ledger of 20 million entries, beside an empty one on the same server."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import asyncpg
from rich.progress import Progress

from bench.findings import Findings
from bench.harness import Rounds, take_turns
from bench.tools.batches import POST, check_posted, make_batch, post_for
from bench.tools.lab import ACCOUNTS, SETTINGS, Lab
from service.embedded import EmbeddedPostgres
from service.embedded.create import DATABASE

ENTRIES = 20_000_000
SIZE = 1000
LOADERS = 2
STEP = 500
"""Batches to a point of how the loading went: a million entries."""
LOADING = "loading.json"
Point = tuple[float, float]
"""Millions of entries in the ledger, and payments a second up to there from the point before."""
EMPTY = "bench_empty"


def measure(lab: Lab) -> Findings:
    """Its server is one of its own; with a kept data directory it loads only what is missing."""
    home = lab.growth_dir or lab.home / "growth"
    home.mkdir(parents=True, exist_ok=True)
    with EmbeddedPostgres(home, settings=SETTINGS) as server:
        grown = Lab(server, home, lab.scale)
        grown.install(DATABASE)
        grown.create_accounts("bench", ACCOUNTS)
        if loading := asyncio.run(_load(grown.app_dsn(), present=_entries(grown))):
            (home / LOADING).write_text(json.dumps(loading))
        grown.run_sql("vacuum analyze;")
        grown.server.drop_database(EMPTY)
        grown.server.create_database(EMPTY)
        try:
            grown.install(EMPTY)
            grown.create_accounts("bench", ACCOUNTS, EMPTY)
            grown.settle()
            rounds = _compare(grown)
        finally:
            grown.server.drop_database(EMPTY)
        entries = _entries(grown)
    return Findings(
        {"growth_20m_vs_empty": rounds.ratio("grown", "empty")},
        {**rounds.figures, "entries": entries, "kept_in": str(lab.growth_dir or "")},
    )


def _compare(lab: Lab) -> Rounds:
    with asyncio.Runner() as runner:

        def posting(dsn: str) -> Any:
            connection = runner.run(asyncpg.connect(dsn))
            return lambda seconds: runner.run(post_for(connection, seconds, SIZE))

        return take_turns(
            {"grown": posting(lab.app_dsn()), "empty": posting(lab.app_dsn(EMPTY))},
            lab.scale.rounds * 3,
            lab.scale.seconds / 3,
        )


def _entries(lab: Lab) -> int:
    """How many there are: an account's version is the number of its own."""
    return int(lab.run_sql("select coalesce(sum(version), 0) from ledger.accounts;"))


def read_loading(home: Path) -> list[Point]:
    """How the ledger that is kept there was loaded, in that order."""
    return [(entries, rate) for entries, rate in json.loads((home / LOADING).read_text())]


async def _load(dsn: str, present: int) -> list[Point]:
    """Through post_payments, until there are enough."""
    loading: list[Point] = []
    async with asyncpg.create_pool(dsn, min_size=LOADERS, max_size=LOADERS) as pool:
        missing = -(-(ENTRIES - present) // (2 * SIZE))
        batches = iter(range(1, missing + 1))
        began = time.perf_counter()
        with Progress() as progress:
            task = progress.add_task("entries", total=ENTRIES, completed=present)

            async def load() -> None:
                async with pool.acquire() as connection:
                    statement = await connection.prepare(POST)
                    nonlocal began
                    for number in batches:
                        rows = await statement.fetch(make_batch(SIZE).document())
                        check_posted(rows, SIZE)
                        progress.advance(task, 2 * SIZE)
                        if number % STEP == 0:
                            now = time.perf_counter()
                            entries = present + 2 * SIZE * number
                            loading.append((entries / 1e6, STEP * SIZE / (now - began)))
                            began = now

            async with asyncio.TaskGroup() as group:
                for _ in range(LOADERS):
                    group.create_task(load())
    return loading
