"""A Valkey server of our own, on TCP so that a wire fits in between."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

from loadgen.rig.programs import RigFailed, free_port, send, start

START_SECONDS = 20.0


class Valkey:
    """One server on a port that stays its own; it saves only when it is told to."""

    def __init__(self, home: Path, program: Path) -> None:
        self.port = free_port()
        self.log = home / "valkey.log"
        self._directory = home / "valkey"
        self._directory.mkdir()
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        """Say whether its process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, with what it saved last, and wait until it answers."""
        options = {
            "--port": str(self.port),
            "--bind": "127.0.0.1",
            "--dir": str(self._directory),
            "--save": "",
            "--appendonly": "no",
            "--maxmemory": "64mb",
            "--maxmemory-policy": "allkeys-lru",
            "--daemonize": "no",
        }
        words = [part for option in options.items() for part in option]
        command: list[str | Path] = [self._program, *words]
        self._process = await start(command, self.log, env=dict(os.environ))
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while True:
            with contextlib.suppress(OSError, RigFailed):
                await self.ask("PING")
                return
            if not self.runs or asyncio.get_running_loop().time() > deadline:
                raise RigFailed(f"Valkey does not answer, see {self.log}")
            await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None and self.runs:
            send(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self.runs:
            send(self._process.pid, signal.SIGCONT)
            send(self._process.pid, signal.SIGTERM)
            await self._process.wait()

    def forget_saved(self) -> None:
        """Come back empty from the next start on."""
        (self._directory / "dump.rdb").unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None and self.runs:
            send(self._process.pid, number)

    async def ask(self, *words: str) -> str:
        """Send a command; give the first line of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
            writer.write(f"*{len(words)}\r\n{''.join(parts)}".encode())
            await writer.drain()
            line = (await reader.readline()).decode().strip()
        finally:
            writer.close()
        if not line or line.startswith("-"):
            raise RigFailed(f"Valkey: {' '.join(words)}: {line or 'no answer'}")
        return line
