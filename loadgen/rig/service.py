"""Processes of the service under test, each `payledger serve`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import aiohttp
import msgspec

from loadgen.rig.programs import RigFailed, children_of, free_port, run, send, start

START_SECONDS = 60.0
WORKER = b"service.commands.worker"
"""Named by the program that a worker runs; its number comes after that."""


class Service:
    """One service on a port that stays its own."""

    def __init__(self, name: str, home: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.log = home / f"{name}.log"
        self.port = free_port()
        self._settings = dict(settings) | {
            "PAYLEDGER_PORT": str(self.port),
            "PAYLEDGER_STATE_DIR": str(home / f"{name}-state"),
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def runs(self) -> bool:
        """Say whether its process is there."""
        return self._process is not None and self._process.returncode is None

    def pids(self) -> list[int]:
        """Give its process and the workers that it may have."""
        if self._process is None or not self.runs:
            return []
        return [self._process.pid, *children_of(self._process.pid)]

    def worker(self, number: int) -> int | None:
        """Give the process of a worker, if it is there."""
        for pid in self.pids()[1:]:
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if any(
                    WORKER in program and first == str(number).encode()
                    for program, first in pairwise(words)
                ):
                    return pid
        return None

    def led(self) -> tuple[int, int]:
        """Give the last term in which one of its workers became the relay, and which; or 0."""
        last = (0, 0)
        for line in self.log.read_text(errors="replace").splitlines():
            if '"leads"' in line:
                told = msgspec.json.decode(line)
                last = max(last, (told["term"], told["worker"]))
        return last

    async def start(self, more: Mapping[str, str] | None = None) -> None:
        """Start it and wait until it lives; ready it may be later, when its database is."""
        self._process = await start(
            [sys.executable, "-m", "service", "serve"],
            self.log,
            env=environment(self._settings) | dict(more or {}),
        )
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        async with aiohttp.ClientSession() as session:
            while True:
                if not self.runs:
                    tail = self.log.read_text(errors="replace")[-2000:]
                    raise RigFailed(f"service {self.name} has ended:\n{tail}")
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    async with session.get(f"http://127.0.0.1:{self.port}/livez") as answer:
                        if answer.status == 200:
                            return
                if asyncio.get_running_loop().time() > deadline:
                    raise RigFailed(f"service {self.name} does not answer")
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """SIGKILL for it and its workers."""
        for pid in self.pids():
            send(pid, signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()

    async def stop(self) -> None:
        """End it in order."""
        if self._process is None or not self.runs:
            return
        self.signal(signal.SIGCONT)
        send(self._process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            await self.kill()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and its workers."""
        for pid in self.pids():
            send(pid, number)


async def command(arguments: list[str], settings: Mapping[str, str]) -> str:
    """Run a `payledger` command to its end; give its output."""
    said = await run([sys.executable, "-m", "service", *arguments], env=environment(settings))
    return said.strip()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Give our environment, of the service's settings only these."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PAYLEDGER_")}
    return ours | dict(settings)
