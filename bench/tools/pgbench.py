"""pgbench: prepared statements from C, so that the client costs little."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.harness import BenchFailed

SQL = Path(__file__).parents[1] / "sql"

_VERY_LONG = 3_600.0  # seconds: until it is ended

_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial connection time\)$", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+) ", re.MULTILINE)


@dataclass(frozen=True)
class Pgbench:
    """pgbench against one database."""

    binary: Path
    dsn: str
    accounts: int
    clients: int = 16
    threads: int = 2

    def tps(self, script: str, seconds: float) -> float:
        """Transactions a second of bench/sql/<script>.sql."""
        done = subprocess.run(
            self._command(script, seconds), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BenchFailed(f"pgbench {script}: {done.stderr.strip()}")
        return read_tps(done.stdout)

    def with_clients(self, clients: int) -> Pgbench:
        """The same with so many connections."""
        return replace(self, clients=clients, threads=min(clients, self.threads))

    @contextmanager
    def beside(self, script: str, rate: int) -> Iterator[subprocess.Popen[bytes]]:
        """Load of so many transactions a second. Raises BenchFailed when it ends by itself."""
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(
                [*self._command(script, _VERY_LONG), f"--rate={rate}"],
                stdout=subprocess.DEVNULL,
                stderr=errors,
            )
            try:
                yield process
                ended = process.poll() is not None
            finally:
                process.terminate()
                process.wait()
            if ended:
                errors.seek(0)
                raise BenchFailed(f"pgbench {script}: {errors.read().decode().strip()}")

    def _command(self, script: str, seconds: float) -> list[str]:
        return [
            str(self.binary),
            *("--no-vacuum", "--protocol=prepared", f"--time={max(1, round(seconds))}"),
            *(f"--client={self.clients}", f"--jobs={self.threads}"),
            *(f"--define=accounts={self.accounts}", f"--file={SQL / script}.sql"),
            self.dsn,
        ]


def read_tps(output: str) -> float:
    """What pgbench printed; a run with failed transactions gives no figure."""
    tps, failed = _TPS.search(output), _FAILED.search(output)
    if tps is None or failed is None:
        raise BenchFailed(f"pgbench printed no result:\n{output}")
    if failed[1] != "0":
        raise BenchFailed(f"{failed[1]} of pgbench's transactions failed")
    return float(tps[1])
