"""Which process is the server of a data directory, and what is never taken for it."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.embedded import EmbeddedError
from service.embedded.processes import (
    PidFile,
    is_alive,
    is_postmaster_of,
    stop_leftover,
    wait_until,
)

IPC_PRIVATE, IPC_RMID = 0, 0


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process at work in the data directory that is no server."""
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        yield process
        process.kill()


def write_pid_file(data_dir: Path, pid: int, *more: str) -> None:
    lines = [str(pid), str(data_dir), "1700000000", "5432", "/tmp", "127.0.0.1", *more]
    (data_dir / "postmaster.pid").write_text("\n".join(lines) + "\n")


def test_a_pid_file_is_read_whole_or_in_part(tmp_path: Path) -> None:
    assert PidFile.read(tmp_path) is None
    (tmp_path / "postmaster.pid").write_text("")
    assert PidFile.read(tmp_path) is None
    write_pid_file(tmp_path, 77)
    assert PidFile.read(tmp_path) == PidFile(77, None, ready=False)
    write_pid_file(tmp_path, 77, "  5432001   12", "starting")
    assert PidFile.read(tmp_path) == PidFile(77, 12, ready=False)
    write_pid_file(tmp_path, 77, "  5432001   12", "ready   ")
    assert PidFile.read(tmp_path) == PidFile(77, 12, ready=True)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(process.pid)
    process.wait()
    assert not is_alive(process.pid)
    assert is_alive(os.getpid())


def test_a_stranger_with_the_servers_old_number_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    write_pid_file(tmp_path, stranger.pid)
    assert not is_postmaster_of(stranger.pid, tmp_path)
    assert not stop_leftover(tmp_path)
    assert is_alive(stranger.pid)
    assert not (tmp_path / "postmaster.pid").exists()  # PostgreSQL would refuse to start


def test_nothing_starts_while_somebody_is_attached_to_the_dead_servers_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.embedded.processes.DYING_SECONDS", 0.1)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    block = libc.shmget(IPC_PRIVATE, 4096, 0o600)
    assert block >= 0
    try:
        address = ctypes.c_void_p(libc.shmat(block, None, 0))
        write_pid_file(tmp_path, 2**22 + 1, f"  5432001  {block}", "ready")  # no such process
        with pytest.raises(EmbeddedError, match=f"block {block} shows them"):
            stop_leftover(tmp_path)
        libc.shmdt(address)
        assert not stop_leftover(tmp_path)
    finally:
        libc.shmctl(block, IPC_RMID, None)


def test_the_server_of_other_data_is_not_taken_for_ours(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    fake = [sys.executable, "-c", "input()"]
    with subprocess.Popen(
        ["postgres", *fake[1:]], executable=fake[0], cwd=theirs, stdin=subprocess.PIPE
    ) as server:
        # the kernel shows an empty command line for a moment
        assert wait_until(lambda: is_postmaster_of(server.pid, theirs), 10)
        assert not is_postmaster_of(server.pid, ours)
        server.kill()
