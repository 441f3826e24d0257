"""Runs pgbench scripts side by side: alternating rounds, so that a machine's drift hits both."""

from __future__ import annotations

import re
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path

SQL = Path(__file__).parent / "sql"
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)$", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+) ", re.MULTILINE)


@dataclass(frozen=True)
class Comparison:
    """Transactions a second of two scripts, round by round."""

    name: str
    measured: tuple[float, ...]
    yardstick: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """The median over rounds of measured / yardstick, each ratio within one round."""
        return statistics.median(m / y for m, y in zip(self.measured, self.yardstick, strict=True))


@dataclass(frozen=True)
class Pgbench:
    """pgbench against one database, prepared statements, 16 clients on 2 threads."""

    binary: Path
    dsn: str
    accounts: int
    clients: int = 16
    threads: int = 2

    def tps(self, script: str, seconds: int) -> float:
        """Transactions a second of bench/sql/<script>.sql. Raises when one failed."""
        done = subprocess.run(
            [
                str(self.binary),
                *("--no-vacuum", "--protocol=prepared", f"--time={seconds}"),
                *(f"--client={self.clients}", f"--jobs={self.threads}"),
                *(f"--define=accounts={self.accounts}", f"--file={SQL / script}.sql"),
                self.dsn,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        tps = _TPS.search(done.stdout)
        failed = _FAILED.search(done.stdout)
        if done.returncode != 0 or tps is None or failed is None or failed[1] != "0":
            raise RuntimeError(f"pgbench {script} failed:\n{done.stdout}{done.stderr}")
        return float(tps[1])

    def compare(
        self, name: str, measured: str, yardstick: str, *, rounds: int, seconds: int
    ) -> Comparison:
        """Alternates the two scripts after a short run of each that is not counted."""
        for script in (measured, yardstick):
            self.tps(script, max(1, seconds // 3))
        runs = [(self.tps(measured, seconds), self.tps(yardstick, seconds)) for _ in range(rounds)]
        return Comparison(name, tuple(m for m, _ in runs), tuple(y for _, y in runs))
