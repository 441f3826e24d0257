"""A server program under its watchdog: it ends when we ask, and when we die."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from service.embedded import watchdog
from service.embedded.identity import Identity

StopMode = Literal["smart", "fast", "immediate"]

LOG_LINES_TOLD = 30


class Watched:
    """A running program and the watchdog that is its parent."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        identity: Identity,
        env: Mapping[str, str],
        log: Path,
        log_fd: int,
        cwd: str | Path = "/",
    ) -> None:
        """`log_fd` is open for appending to `log`; what is in it before is not told again."""
        self._log = log
        self._log_start = os.fstat(log_fd).st_size
        uid_and_gid = [-1 if number is None else number for number in (identity.uid, identity.gid)]
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", watchdog.__file__]
            + [str(argument) for argument in [os.getpid(), *uid_and_gid, *command]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log_fd,
            cwd=cwd,
            env=env,
            start_new_session=True,  # Ctrl-C is for us: the server stops when we have finished
        )
        assert self._watchdog.stdin is not None  # noqa: S101 - for mypy
        assert self._watchdog.stdout is not None  # noqa: S101 - for mypy
        self._requests = self._watchdog.stdin
        with self._watchdog.stdout as answer:
            self.pid = int(answer.readline() or 0)  # 0: it failed, as `ended` will show

    @property
    def ended(self) -> bool:
        """Whether the watchdog is gone, and with it, if nobody killed the watchdog, the server."""
        return self._watchdog.poll() is not None

    @property
    def closed(self) -> bool:
        """Whether it was waited for."""
        return self._requests.closed

    def ask(self, mode: StopMode) -> None:
        """Ask for a shutdown; the watchdog gets harsher when the server takes too long."""
        # no reader: the watchdog was killed, and the kernel has told the server to stop
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(f"{mode}\n".encode())
            self._requests.flush()

    def wait(self) -> None:
        """Wait for the end of the watchdog, and leave nothing open."""
        self._watchdog.wait()
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()

    def log_tail(self) -> str:
        """What the server has said since this start, at most the last lines of it."""
        with self._log.open(errors="replace") as log:
            log.seek(self._log_start)
            lines = log.read().splitlines()[-LOG_LINES_TOLD:]
        return "\n".join([f"Its log, {self._log}, ends:", *lines])
