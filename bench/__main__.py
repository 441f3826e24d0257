"""`make bench`: measures payledger beside its yardsticks and writes bench/results/latest.json.

Only ratios within one run mean anything: both sides run on one server, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from bench.pgbench import SQL, Comparison, Pgbench
from service.database.migrations import migrate
from service.embedded import EmbeddedPostgres

RESULTS = Path(__file__).parent / "results"
ACCOUNTS = 1000

# What the ratios have to reach; printed beside them, never asserted: a benchmark is not a test.
GOALS = {"post_payment_vs_plain_sql": 0.7}


def main() -> int:
    """Measures, prints a table, writes the results."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    quick = parser.parse_args().quick

    with tempfile.TemporaryDirectory(prefix="payledger-bench-") as state_dir:
        server = EmbeddedPostgres(
            Path(state_dir), settings={"shared_buffers": "2GB", "max_wal_size": "8GB"}
        )
        with server:
            asyncio.run(migrate(server.dsn("payledger_migrator")))
            server.run_sql(
                (SQL / "plain_tables.sql").read_text(),
                user="postgres",
                database="payledger",
                variables={"accounts": str(ACCOUNTS)},
            )
            pgbench = Pgbench(server.binaries.bin_dir / "pgbench", server.dsn("postgres"), ACCOUNTS)
            comparison = pgbench.compare(
                "post_payment_vs_plain_sql",
                "post_payment",
                "plain_sql",
                rounds=5 if quick else 9,
                seconds=4 if quick else 10,
            )
            version = f"{server.binaries.major}.{server.binaries.minor}"

    _report([comparison])
    _write([comparison], version)
    return 0


def _report(comparisons: list[Comparison]) -> None:
    for c in comparisons:
        goal = GOALS[c.name]
        print(
            f"{c.name}: {c.ratio:.2f} (goal {goal:.2f}: {'met' if c.ratio >= goal else 'MISSED'})\n"
            f"  measured/s  {' '.join(f'{x:,.0f}' for x in c.measured)}\n"
            f"  yardstick/s {' '.join(f'{x:,.0f}' for x in c.yardstick)}"
        )


def _write(comparisons: list[Comparison], version: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    latest = {c.name: round(c.ratio, 3) for c in comparisons}
    (RESULTS / "latest.json").write_text(json.dumps(latest, indent=2) + "\n")
    details = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "postgresql": version,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "rounds": {
            c.name: {"measured_per_s": c.measured, "yardstick_per_s": c.yardstick}
            for c in comparisons
        },
    }
    (RESULTS / "details.json").write_text(json.dumps(details, indent=2) + "\n")
    print(f"written: {RESULTS / 'latest.json'}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
