"""`payledger up` on the bench's server: worker processes, relay, listeners, Valkey."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.harness import BenchFailed
from loadgen.target import Target, TargetUnknown, find_target

_START_SECONDS, _STOP_SECONDS = 60.0, 30.0
_PR_SET_PDEATHSIG = 1


class Service:
    """Runs while it is entered."""

    def __init__(self, home: Path, *, dsn: str, migrate_dsn: str, workers: int) -> None:
        self._state_dir = Path(tempfile.mkdtemp(prefix="service-", dir=home))
        self._log = self._state_dir / "service.log"
        self._environment = {
            **{name: value for name, value in os.environ.items() if not _is_ours(name)},
            "PAYLEDGER_STATE_DIR": str(self._state_dir),
            "PAYLEDGER_PORT": "0",
            "PAYLEDGER_DSN": dsn,
            "PAYLEDGER_MIGRATE_DSN": migrate_dsn,
            "PAYLEDGER_WORKERS": str(workers),
        }
        self._process: subprocess.Popen[bytes] | None = None
        self._target: Target | None = None

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "service", "up"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=_end_with_parent,
            )
        try:
            self._wait_until_ready(self._process)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._running().url

    @property
    def key(self) -> str:
        """An API key with every scope."""
        return self._running().key

    def path(self, rest: str) -> str:
        """A path under the ledger."""
        return f"/v1/ledgers/main/{rest}"

    def get(self, path: str) -> bytes:
        """The body of one answer."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            self.url + path, headers={"Authorization": f"Bearer {self.key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            body: bytes = response.read()
            return body

    def metrics(self, prefix: str) -> dict[str, float]:
        """Those of this name that are not 0, with their labels."""
        samples = (
            line.rpartition(" ")
            for line in self.get("/metrics").decode().splitlines()
            if line.startswith(prefix)
        )
        return {name: float(value) for name, _, value in samples if float(value)}

    def worker_pids(self) -> list[int]:
        """The processes that serve: children of ours that are Python."""
        if self._process is None:
            raise BenchFailed("the service does not run")
        return [
            pid
            for pid in _children(self._process.pid)
            if b"service.commands.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    def _running(self) -> Target:
        if self._target is None:
            raise BenchFailed("the service does not run")
        return self._target

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                target = find_target(None, None, self._environment)
                with urllib.request.urlopen(f"{target.url}/readyz", timeout=5):  # noqa: S310
                    self._target = target
                    return
            except (TargetUnknown, urllib.error.URLError):
                time.sleep(0.05)
        raise BenchFailed(f"the service does not start:\n{self._log.read_text()[-2000:]}")

    def _end(self) -> None:
        process, self._process, self._target = self._process, None, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def resident_mb(pid: int) -> float:
    """Memory that a process has in RAM, in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _is_ours(name: str) -> bool:
    """Settings of the caller's are for the caller's database; only the programs are the same."""
    return name.startswith("PAYLEDGER_") and name not in (
        "PAYLEDGER_PG_BIN",
        "PAYLEDGER_VALKEY_BIN",
    )


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _end_with_parent() -> None:
    """In the child: be told to stop when the bench is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
