"""A payledger of our own: `payledger up` on a free port, with its data in a temporary directory.

It brings its own PostgreSQL and its own Valkey.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from loadgen.target import Target, TargetUnknown, find_target, read_running

START_SECONDS, STOP_SECONDS = 90.0, 60.0
_PR_SET_PDEATHSIG = 1


class StackFailed(Exception):
    """The service did not start, did not stop, or left something behind."""


class Stack:
    """Runs the service while it is entered; `keep` leaves its data and log for a look."""

    def __init__(self, workers: int = 1) -> None:
        self.keep = False
        self._workers = workers
        self._home = Path(tempfile.mkdtemp(prefix="payledger-demo-"))
        # The database server runs as another user when we are root: let it pass through.
        self._home.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.state_dir = self._home / "state"
        self.log = self._home / "service.log"
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._end()

    @property
    def target(self) -> Target:
        """Where it is, and its key."""
        return find_target(None, None, {"PAYLEDGER_STATE_DIR": str(self.state_dir)})

    async def stop(self) -> None:
        """Ask it to stop, and see that it does: in time, with exit code 0, and wholly."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            raise self._failed(f"it did not stop within {STOP_SECONDS:.0f} s") from None
        self._process = None
        if code != 0:
            raise self._failed(f"it ended with exit code {code}")
        if left := processes_of(self.state_dir):
            raise self._failed(f"it left processes behind: {', '.join(left)}")

    async def _start(self) -> None:
        # The caller's settings are for the caller's database; only the programs are the same.
        env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PAYLEDGER_") or name == "PAYLEDGER_PG_BIN"
        }
        env |= {"PAYLEDGER_STATE_DIR": str(self.state_dir), "PAYLEDGER_PORT": "0"}
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "service",
                "up",
                "--workers",
                str(self._workers),
                env=env,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                stdin=asyncio.subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is ours: the verdict still needs the service
                preexec_fn=_end_with_parent,
            )
        await self._wait_until_ready(self._process)

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + START_SECONDS
        answer = "it wrote no running.json"
        async with aiohttp.ClientSession() as session:
            while True:
                if process.returncode is not None:
                    raise self._failed(f"it ended with exit code {process.returncode}")
                if time.monotonic() > deadline:
                    raise self._failed(f"not ready within {START_SECONDS:.0f} s: {answer}")
                try:
                    url = read_running(self.state_dir).url
                    async with session.get(f"{url}/readyz") as response:
                        if response.status == 200:
                            return
                        answer = f"/readyz answers {await response.text()}"
                except TargetUnknown:
                    pass
                except (aiohttp.ClientError, OSError) as error:
                    answer = f"/readyz: {error}"
                await asyncio.sleep(0.1)

    def _failed(self, why: str) -> StackFailed:
        self.keep = True
        tail = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
        return StackFailed(f"payledger up: {why}; its log is {self.log}:\n{tail}")

    async def _end(self) -> None:
        """Whatever happened, leave nothing running."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        if not self.keep:
            shutil.rmtree(self._home, ignore_errors=True)


def processes_of(directory: Path) -> list[str]:
    """Give the processes that were started with this directory or work in it (Linux: /proc)."""
    mark = os.fsencode(directory)
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            signs = [os.fsencode(os.readlink(process / "cwd"))]
            signs += [(process / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue  # it has ended, or is another user's
        if any(mark in sign for sign in signs) and process.name != str(os.getpid()):
            command = signs[1].replace(b"\0", b" ").decode(errors="replace")
            found.append(f"{process.name} ({command.strip()[:100]})")
    return found


def _end_with_parent() -> None:
    """In the child: be told to stop when the generator is killed."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
