"""What the tests of whole programs share: a folder that `payledger` is run in."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from embedded_support import REPO, soon
from support.processes import heed_signals

from service.embedded import EmbeddedPostgres

START_SECONDS = 60.0


class Home:
    """A folder, with a space in its path, that `payledger` is run in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.state = path / ".payledger"
        self.ups: list[Up] = []

    def environment(self, **variables: str) -> dict[str, str]:
        """Not one worker for each core of this machine, unless asked: to start one takes long."""
        clean = {name: value for name, value in os.environ.items() if name[:2] != "PG"}
        clean = {n: v for n, v in clean.items() if not n.startswith("PAYLEDGER_")}
        ours = {"PAYLEDGER_PORT": "0", "PAYLEDGER_WORKERS": "1"}
        return clean | ours | {"PYTHONPATH": str(REPO), "LC_ALL": "C"} | variables

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "service", *arguments],
            cwd=self.path,
            env=self.environment(**variables),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self, *options: str, **variables: str) -> "Up":
        """A running `up`, ready."""
        self.ups.append(Up(self, options, variables))
        self.ups[-1].wait_ready()
        return self.ups[-1]

    def end_ups(self) -> None:
        for up in self.ups:
            if up.process.poll() is None:
                up.process.kill()
                up.process.wait()
            up.close()
        self.ups.clear()

    def end(self) -> None:
        self.end_ups()
        cluster = EmbeddedPostgres(self.state)
        cluster.remove_data()
        cluster.state.drop_socket_dir()
        shutil.rmtree(self.path.parent)


class Up:
    """One process of `payledger up`."""

    def __init__(self, home: Home, options: tuple[str, ...], variables: dict[str, str]) -> None:
        self.home = home
        self.output = home.path / f"up {len(home.ups)} {time.monotonic_ns()}.log"
        self._file = self.output.open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service", "up", *options],
            cwd=home.path,
            env=home.environment(**variables),
            stdout=self._file,
            stderr=subprocess.STDOUT,
            preexec_fn=heed_signals,
        )

    def wait_ready(self) -> None:
        def settled() -> bool:
            return self.process.poll() is not None or "Ctrl-C stops it." in self.said

        assert soon(settled, START_SECONDS), self.said
        assert self.process.poll() is None, self.said

    @property
    def said(self) -> str:
        return self.output.read_text()

    @property
    def running(self) -> dict[str, Any]:
        """What it tells other programs."""
        document: dict[str, Any] = json.loads((self.home.state / "running.json").read_text())
        return document

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        status = self.process.wait(60)
        self.close()
        return status

    def close(self) -> None:
        self._file.close()


@contextmanager
def new_home() -> Iterator[Home]:
    root = Path(tempfile.mkdtemp(prefix="payledger-cli-"))
    root.chmod(0o711)  # the server's user isn't root
    home = Home(root / "a folder")
    home.path.mkdir(mode=0o711)
    try:
        yield home
    finally:
        home.end()


def psql(home: Home, sql: str) -> str:
    done = home.run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", sql)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def postmaster(home: Home) -> int:
    """The server's process id."""
    return int((EmbeddedPostgres(home.state).data_dir / "postmaster.pid").read_text().split()[0])


async def post(up: Up, path: str, body: object, **headers: str) -> tuple[int, Any]:
    key = (up.home.state / "dev-key").read_text().strip()
    async with aiohttp.ClientSession() as client:
        answer = await client.post(
            f"{up.running['url']}/v1/ledgers/main/{path}",
            json=body,
            headers={"Authorization": f"Bearer {key}", **headers},
        )
        return answer.status, await answer.json(content_type=None)


@contextmanager
def database(up: Up, name: str) -> Iterator[dict[str, str]]:
    """Another database of the migrator's; the variables that lead to it."""
    superuser = EmbeddedPostgres(up.home.state).dsn("postgres")
    done = up.home.run(
        "psql", "-qc", f"create database {name} owner payledger_migrator", PAYLEDGER_DSN=superuser
    )
    assert done.returncode == 0, done.stderr
    try:
        yield {
            "PAYLEDGER_DSN": up.running["dsn"].removesuffix("payledger") + name,
            "PAYLEDGER_MIGRATE_DSN": up.running["migrate_dsn"].removesuffix("payledger") + name,
        }
    finally:
        drop = f"drop database {name} with (force)"
        assert up.home.run("psql", "-qc", drop, PAYLEDGER_DSN=superuser).returncode == 0


def refuses(url: str) -> bool:
    """Whether nobody takes new connections there any more."""
    probe = ["curl", "--silent", "--max-time", "2", f"{url}/livez"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 7
