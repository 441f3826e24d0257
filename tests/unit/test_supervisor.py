"""The supervisor among workers that come, fail and go: small programs of the tests stand in."""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.commands import supervisor, worker, worker_start
from service.commands.supervisor import Supervisor
from service.database.connections import DatabaseError
from service.settings import Settings

# Told apart by number, and by whether they were there before; each says in a file that it ran.
BEGINS = """
import os, socket, sys, time
from pathlib import Path
number, _, channel, _ = map(int, sys.argv[1:])
here = Path(os.environ["HERE"])
parent = socket.socket(fileno=channel)
ran = here / f"ran-{number}"
again = ran.exists()
ran.touch()
"""
SERVES = "parent.sendall(b'ready\\n'); parent.recv(1)"
SECOND_FAILS_ONCE = f"""{BEGINS}
if number == 2 and not again:
    while not (here / "first-serves").exists():
        time.sleep(0.005)
    parent.sendall(b"failed the database is away")
    sys.exit(1)
{SERVES}
"""
HEARS = f"""{BEGINS}
import signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
parent.sendall(b'ready\\n')
(here / f"heard-{{number}}").write_bytes(parent.recv(1024))
"""
ALL_FAIL = f"""{BEGINS}
parent.sendall(b"failed the database is away")
sys.exit(1)
"""


@pytest.fixture(autouse=True)
def signals() -> Iterator[None]:
    """A supervisor takes them over, and its process ends with it; this one does not."""
    before = {number: signal.getsignal(number) for number in supervisor.ENDING_SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def supervise(program: str, here: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have two of the program run until both have served; give what was noticed."""
    monkeypatch.setattr(worker_start, "command", lambda: [sys.executable, "-c", program])
    monkeypatch.setattr(supervisor, "TEND_SECONDS", 0.01)
    noticed: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        supervised = Supervisor(Settings(workers=2), listener, os.environ | {"HERE": str(here)})

        def tend() -> None:
            if supervised._workers[0].ready:
                (here / "first-serves").touch()

        supervised.run(lambda: noticed.append("all serve"), tend, lambda: bool(noticed))
    return noticed


def test_a_worker_that_fails_at_first_is_started_again_when_another_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of them could do, is no wrong setting: the database went away in between."""
    assert supervise(SECOND_FAILS_ONCE, tmp_path, monkeypatch) == ["all serve"]


def test_workers_that_all_fail_at_first_end_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DatabaseError, match="the database is away"):
        supervise(ALL_FAIL, tmp_path, monkeypatch)


def test_workers_are_told_that_the_database_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervise(HEARS, tmp_path, monkeypatch)  # which ends it
    for number in (1, 2):
        heard = tmp_path / f"heard-{number}"
        assert heard.read_bytes() == worker_start.DATABASE_GONE


def test_a_worker_that_is_ready_collects_its_garbage() -> None:
    """While it imports what it needs, it does not."""
    assert "gc.disable()" in worker_start.command()[-1]
    thresholds = gc.get_threshold()
    gc.disable()
    try:
        worker._set_up_garbage_collection()
        assert gc.isenabled()
    finally:
        gc.set_threshold(*thresholds)
        gc.enable()
