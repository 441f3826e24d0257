"""Starts the server under its watchdog, waits until it answers, stops it."""

import random
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from service.embedded.create import environment
from service.embedded.errors import EmbeddedError
from service.embedded.identity import Identity
from service.embedded.processes import (
    SHORT_WAIT,
    PidFile,
    is_alive,
    is_postmaster_of,
    kill_server,
    stop_leftover,
)
from service.embedded.watched import StopMode, Watched

START_SECONDS = 300.0  # crash recovery takes its time; a server that died is noticed at once


@dataclass(frozen=True)
class Launch:
    """Everything that a start needs to know."""

    identity: Identity
    bin_dir: Path
    data_dir: Path
    port: int
    socket_dir: Path
    log: Path


class Server:
    """A running PostgreSQL."""

    def __init__(self, launch: Launch, log_fd: int) -> None:
        self.launch = launch
        self._watched = Watched(
            [
                launch.bin_dir / "postgres",
                "-D",
                launch.data_dir,
                *_option("port", str(launch.port)),
                *_option("listen_addresses", "127.0.0.1"),
                *_option("unix_socket_directories", str(launch.socket_dir)),
            ],
            identity=launch.identity,
            env=environment(launch.bin_dir),
            log=launch.log,
            log_fd=log_fd,
        )
        self.pid = self._watched.pid

    @property
    def runs(self) -> bool:
        """Whether the server's process is there."""
        return is_alive(self.pid) and is_postmaster_of(self.pid, self.launch.data_dir)

    def wait_ready(self) -> None:
        """Return when the server takes connections; EmbeddedError with its log when it can't."""
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._watched.ended:
                self._watched.wait()
                raise EmbeddedError(f"PostgreSQL did not start.\n{self._watched.log_tail()}")
            if time.monotonic() > deadline:
                self.stop("immediate")
                raise EmbeddedError(
                    f"PostgreSQL was not ready after {START_SECONDS:.0f} s.\n"
                    f"{self._watched.log_tail()}"
                )
            time.sleep(SHORT_WAIT)

    def stop(self, mode: StopMode) -> None:
        """Shut down and wait for it. The watchdog gets harsher when the server takes too long."""
        if not self._watched.closed:
            self._watched.ask(mode)
            self._wait_gone()

    def kill(self) -> None:
        """SIGKILL for every process of the server."""
        if self.runs:
            kill_server(self.pid)
        self._wait_gone()

    def _wait_gone(self) -> None:
        self._watched.wait()
        if self.runs:  # the watchdog was killed; the server has been told to stop
            stop_leftover(self.launch.data_dir)

    def _is_ready(self) -> bool:
        """Whether postmaster.pid, which the server keeps for pg_ctl, says so."""
        pid_file = PidFile.read(self.launch.data_dir)
        return pid_file is not None and pid_file.pid == self.pid and pid_file.ready


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def pick_port() -> int:
    """A free port below those the kernel gives to outgoing connections, so that it stays free."""
    for port in random.SystemRandom().sample(range(20000, 32000), 200):
        if port_is_free(port):
            return port
    raise EmbeddedError("no free port on 127.0.0.1 between 20000 and 32000")


def _option(name: str, value: str) -> Sequence[str]:
    return "-c", f"{name}={value}"
