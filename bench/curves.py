"""Throughput against batch size, connections and hot share, drawn: `make bench PLOTS=1`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import asyncpg

from bench.harness import take_turns
from bench.measure.growth import read_loading
from bench.measure.http_single import CONNECTIONS, post_for
from bench.svg import Line, draw
from bench.tools import batches
from bench.tools.lab import Lab

BATCH_SIZES = (1, 10, 100, 500, 1000)
CONNECTION_COUNTS = (1, 4, 16, 64, 256)
HOT_PERCENTS = (0, 10, 50, 100)
HOT_BATCH = 1000
MOST_SQL_CONNECTIONS = 64  # the server has 200, and the service wants its own

Curve = Mapping[float, Callable[[float], float]]


def draw_all(lab: Lab, directory: Path) -> list[Path]:
    """One picture for each question. Points of one line take turns like contenders do."""
    directory.mkdir(parents=True, exist_ok=True)
    by_entries = []  # read first: if it is not there, nothing has been measured in vain
    if lab.growth_dir is not None:
        by_entries.append(Line("while it was loaded", read_loading(lab.growth_dir)))
    pgbench = lab.pgbench()
    with asyncio.Runner() as runner, lab.service() as service:
        connection = runner.run(asyncpg.connect(lab.app_dsn()))

        def in_batches(size: int, hot_percent: int, seconds: float) -> float:
            return runner.run(batches.post_for(connection, seconds, size, hot_percent=hot_percent))

        by_size = [
            _line(lab, "uniform", {n: partial(in_batches, n, 0) for n in BATCH_SIZES}),
            _line(lab, "one hot account", {n: partial(in_batches, n, 100) for n in BATCH_SIZES}),
        ]
        by_connections = [
            _line(
                lab,
                "over HTTP",
                {n: partial(post_for, service, connections=n) for n in CONNECTION_COUNTS},
            ),
            _line(
                lab,
                "post_payment",
                {
                    n: partial(pgbench.with_clients(n).tps, "post_payment")
                    for n in CONNECTION_COUNTS
                    if n <= MOST_SQL_CONNECTIONS
                },
            ),
        ]
        by_share = [
            _line(
                lab,
                "over HTTP",
                {n: partial(post_for, service, hot_percent=n) for n in HOT_PERCENTS},
            ),
            _line(
                lab,
                "batches of 1,000",
                {n: partial(in_batches, HOT_BATCH, n) for n in HOT_PERCENTS},
            ),
        ]
        runner.run(connection.close())
    drawn = [
        _save(directory, "batch_size", "payments a call, one connection", by_size),
        _save(directory, "connections", "connections, one payment a call", by_connections),
        _save(
            directory, "hot_share", f"% on one account; HTTP: {CONNECTIONS} connections", by_share
        ),
    ]
    if by_entries:
        drawn.append(
            _save(directory, "ledger_size", "million entries, batches of 1,000", by_entries)
        )
    return drawn


def _line(lab: Lab, name: str, curve: Curve) -> Line:
    rounds = take_turns(
        {str(x): contender for x, contender in curve.items()}, lab.scale.rounds, lab.scale.seconds
    )
    return Line(name, [(x, rounds.median(str(x))) for x in curve])


def _save(directory: Path, name: str, x_label: str, lines: Sequence[Line]) -> Path:
    path = directory / f"{name}.svg"
    title = f"Payments a second by {name.replace('_', ' ')}"
    path.write_text(draw(title, x_label, "payments/s", lines))
    return path
