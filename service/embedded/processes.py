"""Looks at running servers through /proc, and ends those that are ours, and only those."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from service.embedded.errors import EmbeddedError

PROC = Path("/proc")
SHORT_WAIT = 0.005  # seconds between two looks
FAST_SHUTDOWN_SECONDS = 60.0
IMMEDIATE_SHUTDOWN_SECONDS = 10.0
DYING_SECONDS = 30.0  # for processes that were sent SIGKILL


@dataclass(frozen=True)
class PidFile:
    """What postmaster.pid says (PostgreSQL's miscadmin.h lists its lines)."""

    pid: int
    shared_memory_id: int | None
    ready: bool

    @classmethod
    def read(cls, data_dir: Path) -> "PidFile | None":
        """None when there is none, or it isn't written yet."""
        try:
            lines = (data_dir / "postmaster.pid").read_text(errors="replace").splitlines()
            pid = int(lines[0])
        except (FileNotFoundError, IndexError, ValueError):
            return None
        key_and_id = lines[6].split() if len(lines) > 6 else []
        status = lines[7].strip() if len(lines) > 7 else ""
        return cls(pid, int(key_and_id[1]) if len(key_and_id) == 2 else None, status == "ready")


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie doesn't."""
    return _stat(pid)[0] not in ("", "Z", "X")


def parent_of(pid: int) -> int:
    """The process that started it; 0 when there is none."""
    return int(_stat(pid)[1] or 0)


def is_postmaster_of(pid: int, data_dir: Path) -> bool:
    """Whether the process is the server of this data directory, not a later owner of its number.

    Its working directory is the proof; where that can't be read (root without CAP_SYS_PTRACE in
    a container), its command line is.
    """
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    if Path(os.fsdecode(command[0])).name not in ("postgres", "postmaster"):
        return False
    try:
        return os.path.samefile(PROC / str(pid) / "cwd", data_dir)
    except PermissionError:
        return os.fsencode(data_dir) in command
    except OSError:
        return False


def stop_leftover(data_dir: Path) -> bool:
    """End what a killed predecessor left running on this data; True when there was something."""
    pid_file = PidFile.read(data_dir)
    if pid_file is None:
        return False
    found = is_alive(pid_file.pid) and is_postmaster_of(pid_file.pid, data_dir)
    if found:
        _stop_postmaster(pid_file.pid, data_dir)
    # The server is dead, but its children may still be at work: not when it removed its file.
    if PidFile.read(data_dir) is None:
        return found
    for pid in _orphans(data_dir):
        found = True
        send(pid, signal.SIGKILL)
    if not wait_until(lambda: _is_unused(pid_file.shared_memory_id), DYING_SECONDS):
        raise EmbeddedError(
            f"processes of a server that died still work on {data_dir} and do not end; "
            f"shared memory block {pid_file.shared_memory_id} shows them (ipcs -mp)"
        )
    # PostgreSQL refuses to start while a zombie or a stranger has the dead server's number.
    if (PROC / str(pid_file.pid)).exists():
        (data_dir / "postmaster.pid").unlink()
    return found


def kill_server(postmaster: int) -> None:
    """SIGKILL for a server and its children at one blow, as when the machine dies."""
    send(postmaster, signal.SIGSTOP)  # no new children from here on
    family = [postmaster, *(pid for pid in _pids() if parent_of(pid) == postmaster)]
    for pid in family:
        send(pid, signal.SIGKILL)
    if not wait_until(lambda: not any(map(is_alive, family)), DYING_SECONDS):
        raise EmbeddedError(f"server {postmaster} doesn't die of SIGKILL")


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that is gone already is no error."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(SHORT_WAIT)
    return True


def _stop_postmaster(pid: int, data_dir: Path) -> None:
    def gone() -> bool:
        return not is_alive(pid) or not is_postmaster_of(pid, data_dir)

    for number, patience in (
        (signal.SIGINT, FAST_SHUTDOWN_SECONDS),
        (signal.SIGQUIT, IMMEDIATE_SHUTDOWN_SECONDS),
    ):
        send(pid, number)
        if wait_until(gone, patience):
            return
    kill_server(pid)


def _orphans(data_dir: Path) -> Iterator[int]:
    """Server processes at work on this data, as far as we may see."""
    for pid in _pids():
        with contextlib.suppress(OSError):
            name = (PROC / str(pid) / "comm").read_text().strip()
            if name == "postgres" and os.path.samefile(PROC / str(pid) / "cwd", data_dir):
                yield pid


def _is_unused(shared_memory_id: int | None) -> bool:
    """Whether no process is attached to a System V shared memory block, or it is gone."""
    try:
        header, *rows = (PROC / "sysvipc" / "shm").read_text().splitlines()
    except OSError:
        return True  # no such kernel feature: PostgreSQL checks by itself
    columns = header.split()
    for row in rows:
        values = dict(zip(columns, row.split(), strict=False))
        if values["shmid"] == str(shared_memory_id):
            return values["nattch"] == "0"
    return True


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _stat(pid: int) -> tuple[str, str]:
    """State and parent of a process; empty when there is none."""
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return "", ""
    state, parent = text.rpartition(")")[2].split()[:2]  # the name may hold spaces and brackets
    return state, parent
