"""A Valkey (or Redis) server of our own: a cache between processes that keeps nothing."""

import contextlib
import logging
import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from service.embedded.binaries import find_valkey
from service.embedded.config import MIB, machine_memory
from service.embedded.errors import EmbeddedError
from service.embedded.identity import Identity
from service.embedded.processes import PROC, SHORT_WAIT, is_alive, send, wait_until
from service.embedded.statedir import StateDir
from service.embedded.watched import Watched

log = logging.getLogger("payledger.embedded")

START_SECONDS = 20.0  # it has nothing to load
SHUTDOWN_SECONDS = 5.0  # and nothing to save
DYING_SECONDS = 10.0
LARGEST_MEMORY = 256 * MIB
NAME = "valkey"  # of its directory, its log, its socket and its pid file
LONGEST_SOCKET = 107  # bytes that Linux takes for a socket's path


class EmbeddedValkey:
    """One server in the directory `valkey` of a state directory that its caller has locked.

    It stops with this process, even when that is killed. It listens on a unix socket only, in a
    directory that only its user can enter, so it runs as that user and needs no password.
    """

    def __init__(self, state: StateDir, env: Mapping[str, str] = os.environ) -> None:
        """EmbeddedError when there is no program to run."""
        self.program = find_valkey(env)
        self._state = state
        self._dir = state.path / NAME
        self._pid_file = self._dir / f"{NAME}.pid"
        self._socket: Path | None = None
        self._watched: Watched | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id."""
        if self._watched is None:
            raise EmbeddedError("the embedded Valkey doesn't run")
        return self._watched.pid

    @property
    def runs(self) -> bool:
        """Whether the server's process is there (a crash makes this false without stop())."""
        return self._watched is not None and is_alive(self._watched.pid)

    @property
    def url(self) -> str:
        """What a client connects to."""
        if self._socket is None:
            raise EmbeddedError("the embedded Valkey was not started")
        return f"unix://{quote(str(self._socket))}"

    def start(self) -> None:
        """End a leftover server, start, wait until it answers; the same socket every time."""
        if self.runs:
            raise EmbeddedError(f"the embedded Valkey in {self._dir} runs already")
        self.stop()  # of one that crashed
        self._dir = self._state.make_private_dir(NAME)
        stop_leftover(self._pid_file)
        self._socket = self._choose_socket()
        log_fd = self._state.open_log(f"{NAME}.log")
        try:
            self._watched = Watched(
                self._command(self._socket),
                identity=Identity(),
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                log=self._state.path / f"{NAME}.log",
                log_fd=log_fd,
                cwd=self._dir,
            )
        finally:
            os.close(log_fd)
        self._wait_ready(self._watched, self._socket)
        log.info("%s in %s", self.program, self._dir)

    def stop(self) -> None:
        """Shut down and wait for the end. Nothing happens when it doesn't run."""
        watched, self._watched = self._watched, None
        if watched is None:
            return
        watched.ask("fast")
        watched.wait()
        stop_leftover(self._pid_file)  # should the watchdog have been killed
        if self._socket is not None and self._socket.parent != self._dir:
            self._state.drop_socket_dir(NAME)

    def _choose_socket(self) -> Path:
        here = self._dir / f"{NAME}.sock"
        if len(os.fsencode(here)) <= LONGEST_SOCKET:
            return here
        return self._state.make_short_dir(NAME, Identity()) / here.name

    def _command(self, socket_path: Path) -> list[str | Path]:
        memory = min(LARGEST_MEMORY, machine_memory() // 8)
        options: dict[str, str | Path] = {
            "port": "0",  # no TCP
            "unixsocket": socket_path,
            "unixsocketperm": "700",
            "dir": self._dir,
            "pidfile": self._pid_file,
            "set-proc-title": "no",  # stop_leftover reads the command line
            "save": "",
            "appendonly": "no",
            "maxmemory": str(memory),
            "maxmemory-policy": "allkeys-lru",
        }
        words: list[str | Path] = [self.program]
        for name, value in options.items():
            words += [f"--{name}", value]
        return words

    def _wait_ready(self, watched: Watched, socket_path: Path) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(socket_path):
            if watched.ended or time.monotonic() > deadline:
                reason = "did not start" if watched.ended else "does not answer"
                self.stop()
                raise EmbeddedError(f"{self.program} {reason}.\n{watched.log_tail()}")
            time.sleep(SHORT_WAIT)


def stop_leftover(pid_file: Path) -> bool:
    """End what a killed predecessor left running; True when there was something."""
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return False

    def runs() -> bool:
        return is_alive(pid) and _has_argument(pid, pid_file)

    found = runs()
    for number, patience in ((signal.SIGTERM, SHUTDOWN_SECONDS), (signal.SIGKILL, DYING_SECONDS)):
        if runs():
            send(pid, number)
            wait_until(lambda: not runs(), patience)
    if runs():
        raise EmbeddedError(f"the leftover Valkey, process {pid}, doesn't die of SIGKILL")
    pid_file.unlink(missing_ok=True)
    return found


def leftover_of(state_dir: Path) -> Path:
    """The pid file that the server of a state directory has, if it runs."""
    return state_dir / NAME / f"{NAME}.pid"


def _has_argument(pid: int, pid_file: Path) -> bool:
    """Whether the process was started with our pid file: a later owner of its number was not."""
    try:
        return os.fsencode(pid_file) in (PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def _answers(socket_path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.settimeout(1)
        probe.connect(str(socket_path))
        probe.sendall(b"PING\r\n")
        return probe.recv(16).startswith(b"+PONG")
    return False
