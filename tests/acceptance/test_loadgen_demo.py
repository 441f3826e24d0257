"""The demo for real: its own stack, a sound verdict, and nothing left behind."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadgen.stack import processes_of

SHORT = ["--seconds", "2", "--accounts", "50", "--seed", "1"]
# What a run of 2 s sees however slow the machine is. Shares are the same as in a whole demo's: of a
# small run more reads are first ones, so L1 has fewer.
ENOUGH = ["--least-reads", "100", "--least-elsewhere", "10", "--least-audited", "0"]
LAST_LINE = re.compile(
    r"demo: sound: ([\d,]+) payments, ([\d,]+) replays, ([\d,]+) refusals,"
    r" ([\d,]+) conflicts, ([\d,]+) reads checked in \d+ s"
)


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Where the demo keeps its data: short enough for a socket's path, open to the server."""
    path = Path(tempfile.gettempdir(), f"lgdemo-{os.getpid()}-{time.monotonic_ns()}")
    path.mkdir(mode=0o711)
    yield path
    assert list(path.iterdir()) == []
    path.rmdir()


def start(temporary: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "loadgen", "demo", *SHORT, *ENOUGH, *more],
        env=os.environ | {"TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_demo_ends_sound_with_a_line_of_what_was_checked(temporary: Path) -> None:
    demo = start(temporary)
    printed, _ = demo.communicate(timeout=110)
    assert demo.returncode == 0, printed
    lines = printed.splitlines()
    found = LAST_LINE.fullmatch(lines[-1])
    assert found is not None, lines[-1]
    assert all(int(count.replace(",", "")) > 0 for count in found.groups())
    assert "verify_ledger run" in printed.replace("\n", " ")
    assert "by SQL, too" in printed.replace("\n", " ")
    assert "by 2 workers" in printed.replace("\n", " ")
    assert "stopped cleanly" in printed
    assert processes_of(temporary) == []


def test_a_demo_that_saw_too_little_fails_and_says_so(temporary: Path) -> None:
    demo = start(temporary, "--seconds", "1", "--least-reads", "1000000")
    printed, _ = demo.communicate(timeout=110)
    assert demo.returncode == 2, printed
    assert "of 1,000,000 at least" in printed
    assert printed.splitlines()[-1].startswith("demo: unchecked: ")
    # Its log may tell why, so that is kept.
    (kept,) = temporary.iterdir()
    assert (kept / "service.log").stat().st_size > 0
    assert processes_of(temporary) == []
    shutil.rmtree(kept)


def test_an_interrupted_demo_still_gives_its_verdict(temporary: Path) -> None:
    # Five seconds go by until it is interrupted: few operations in each are enough.
    demo = start(temporary, "--seconds", "600", "--model", "open", "--rate", "50")
    assert demo.stdout is not None
    seen = ""
    while not seen.startswith("load"):
        seen = demo.stdout.readline()
        assert seen
    demo.send_signal(signal.SIGINT)
    printed, _ = demo.communicate(timeout=110)
    assert demo.returncode == 0, printed
    assert LAST_LINE.fullmatch(printed.splitlines()[-1])
    assert processes_of(temporary) == []


def test_a_killed_demo_takes_its_service_and_database_with_it(temporary: Path) -> None:
    demo = start(temporary, "--seconds", "600")
    wait_until(lambda: any("postgres" in process for process in processes_of(temporary)))
    demo.kill()
    demo.communicate()
    wait_until(lambda: not processes_of(temporary))
    # What was killed cannot tidy up.
    subprocess.run(["rm", "-r", *map(str, temporary.iterdir())], check=True)
