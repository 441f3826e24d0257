"""Replays against the real service and database, which die in the middle and come back."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest
from rich.console import Console

from loadgen.purchases import MERCHANT
from loadgen.replay import Replay, ReplayOptions
from loadgen.result import Result
from loadgen.stack import processes_of
from loadgen.target import TargetUnknown, find_target, read_running

ROWS = 1_500
TOTAL = sum(n for n in range(1, ROWS + 1) if n % 100)
PAYMENTS = ROWS - ROWS // 100


class Service:
    """`payledger up` on a port that stays the same, so that it can be killed and started again."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self._launch()
        await until(self._answers)

    def _launch(self) -> None:
        (self.state_dir / "running.json").unlink(missing_ok=True)
        env = {name: text for name, text in os.environ.items() if "PAYLEDGER" not in name}
        env |= {"PAYLEDGER_STATE_DIR": str(self.state_dir), "PAYLEDGER_PORT": str(self._port)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "service", "up"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None
        try:
            return bool(read_running(self.state_dir).url)
        except TargetUnknown:
            return False

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def kill_database(self) -> None:
        """Kill every process of PostgreSQL; the service ends because its database has."""
        assert self._process is not None
        for process in processes_of(self.state_dir):
            number = int(process.split()[0])
            if number != self._process.pid and "postgres" in process:
                os.kill(number, signal.SIGKILL)
        ended = self._process

        async def has_ended() -> bool:
            return ended.poll() is not None

        await until(has_ended)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            assert self._process.wait(60) == 0

    async def posted(self) -> int:
        """The merchant's version: how many payments there are."""
        target = find_target(None, None, {"PAYLEDGER_STATE_DIR": str(self.state_dir)})
        headers = {"Authorization": f"Bearer {target.key}"}
        url = f"{target.url}/v1/ledgers/main/accounts/{MERCHANT}/balance"
        async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as response:
            return int((await response.json())["version"]) if response.status == 200 else 0


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the database's user can reach, and that nothing is left working in."""
    path = Path(tempfile.gettempdir(), f"lgreplay-{os.getpid()}")
    path.mkdir(mode=0o711)
    yield path
    left = processes_of(path)
    subprocess.run(["rm", "-r", str(path)], check=True)
    assert left == []


@pytest.fixture
async def service(home: Path) -> AsyncIterator[Service]:
    running = Service(home / "state")
    try:
        await running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Purchases of 100 customers; every hundredth costs nothing."""
    path = tmp_path / "purchases.csv"
    rows = (f"{n},{n % 100:05},1997-01-01,1,{n if n % 100 else 0}\n" for n in range(1, ROWS + 1))
    path.write_text("purchase,customer,date,quantity,amount_minor\n" + "".join(rows))
    return path


async def replay(service: Service, file: Path, seed: int) -> Result:
    options = ReplayOptions(file=str(file), seed=seed, clients=16)
    target = find_target(None, None, {"PAYLEDGER_STATE_DIR": str(service.state_dir)})
    return await Replay(options, target, None, Console(file=io.StringIO()))()


@pytest.mark.timeout(300)
async def test_a_replay_through_two_deaths_posts_every_row_once_and_a_second_one_nothing(
    service: Service, file: Path
) -> None:
    """kill -9 of the service, then of PostgreSQL; the replay goes on through both."""
    running = asyncio.create_task(replay(service, file, seed=7))

    async def has_posted(count: int) -> bool:
        assert not running.done()
        return await service.posted() >= count

    await until(lambda: has_posted(ROWS // 4))
    service.kill()
    await service.start()
    await until(lambda: has_posted(ROWS // 2))
    await service.kill_database()
    await service.start()

    first = await running
    assert first.evidence == []
    assert first.verdict == "sound"
    assert first.checked.verify_ledger
    assert first.notes == {
        "posted by this run": PAYMENTS,
        "replays of earlier runs": 0,
        "payments in the file": PAYMENTS,
        "refused, nothing written": ROWS // 100,
        "sum of the file, and the merchant's balance": TOTAL,
    }
    assert any(outcome.startswith("unknown") for outcome in first.outcomes)

    second = await replay(service, file, seed=8)
    assert second.verdict == "sound"
    assert second.notes["posted by this run"] == 0
    assert second.notes["replays of earlier runs"] == PAYMENTS
    assert "posted" not in second.outcomes
