"""A real Valkey server for tests: on a Unix socket, to be killed, stopped and started again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from service.embedded.binaries import find_valkey
from support.waiting import PATIENCE_SECONDS


class Valkey:
    """One server in a directory of its own; what it saved is there when it starts again."""

    def __init__(self, *options: str) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="payledger-valkey-", dir="/tmp"))
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> str:
        return str(self._directory / "socket")

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self) -> Valkey:
        self._process = subprocess.Popen(
            [
                find_valkey(),
                *("--port", "0", "--unixsocket", self.socket, "--dir", str(self._directory)),
                *("--save", "", "--appendonly", "no", "--daemonize", "no", *self._options),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self._process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.002)  # the poll's pace, not the test's
        return self

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """It no longer does anything, but its connections stay."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def ask(self, *command: str | bytes) -> bytes:
        """The first line, or the text, of the answer to one command."""
        with socket.socket(socket.AF_UNIX) as con:
            con.settimeout(PATIENCE_SECONDS)
            con.connect(self.socket)
            parts = [part.encode() if isinstance(part, str) else part for part in command]
            sizes = b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)
            con.sendall(b"*%d\r\n%b" % (len(parts), sizes))
            with con.makefile("rb") as answer:
                line = answer.readline().rstrip()
                if line[:1] == b"$" and line != b"$-1":
                    return answer.read(int(line[1:]))
                if line[:1] == b"*":
                    return b"\n".join(
                        answer.read(int(answer.readline()[1:]) + 2)[:-2]
                        for _ in range(int(line[1:]))
                    )
                return line

    def keys(self, pattern: str = "*") -> list[bytes]:
        return [key for key in self.ask("KEYS", pattern).split(b"\n") if key]

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.go_on()
            self.kill()
        shutil.rmtree(self._directory)

    def _answers(self) -> bool:
        try:
            return self.ask("PING")[:1] in b"+-"  # without a password it says -NOAUTH
        except OSError:
            return False
