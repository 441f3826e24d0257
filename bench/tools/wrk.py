"""wrk, with Lua scripts: HTTP load that leaves most of a shared machine to the service."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.harness import BenchFailed

LUA = Path(__file__).parents[1] / "lua"
_MARK = "bench "
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Load:
    """What wrk counted."""

    requests: int
    refused: int
    """Answers with a status of 400 or more."""
    lost: int
    """Connections that could not be made or broke, and requests without an answer in time."""
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def accepted_per_s(self) -> float:
        """Answers that did what was asked, a second."""
        return (self.requests - self.refused) / self.seconds

    def sound(self) -> Load:
        """Itself, when nothing was refused or lost."""
        if self.refused or self.lost or not self.requests:
            raise BenchFailed(
                f"of {self.requests} requests {self.refused} were refused and {self.lost} lost"
            )
        return self


def find_wrk() -> str:
    """The program, or how to get it."""
    if found := shutil.which("wrk"):
        return found
    raise BenchFailed(
        "wrk is missing, which makes the HTTP load: `apt install wrk` on Debian and Ubuntu, "
        "`brew install wrk`, or https://github.com/wg/wrk"
    )


def run(
    script: str,
    url: str,
    *,
    connections: int,
    seconds: float,
    threads: int = 2,
    variables: Mapping[str, object],
) -> Load:
    """Runs bench/lua/<script>.lua; its variables go by the environment, as one is the API key."""
    threads = min(threads, connections)
    environment = {
        **os.environ,
        "BENCH_LUA": str(LUA),
        "BENCH_SEED": str(random.getrandbits(30)),
        "BENCH_THREADS": str(threads),
        **{f"BENCH_{name.upper()}": str(value) for name, value in variables.items()},
    }
    try:
        done = subprocess.run(
            [
                find_wrk(),
                *(f"--threads={threads}", f"--connections={connections}"),
                *(f"--duration={max(1, round(seconds))}s", "--timeout=15s"),
                *(f"--script={LUA / script}.lua", url),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + _PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise BenchFailed(f"wrk {script} does not end") from error
    if done.returncode != 0:
        raise BenchFailed(f"wrk {script}: {done.stderr.strip() or done.stdout.strip()}")
    return read_load(done.stdout)


def read_load(output: str) -> Load:
    """The line that bench/lua/common.lua prints after wrk's own."""
    for line in output.splitlines():
        if line.startswith(_MARK):
            return Load(**json.loads(line.removeprefix(_MARK)))
    raise BenchFailed(f"wrk printed no result:\n{output}")
