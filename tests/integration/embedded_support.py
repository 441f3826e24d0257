"""What the tests of the embedded server share: servers, clusters, parents to kill."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from service.embedded import EmbeddedPostgres, PostgresBinaries, list_postgres
from service.embedded.processes import is_alive, wait_until

REPO = Path(__file__).parents[2]
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
SERVERS = list_postgres()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")


def each_server() -> list[Any]:
    """Every server on this machine, and a visible skip when there is only one version."""
    servers = [
        pytest.param(server, id=f"{server.source}-{server.major}")
        for server in SERVERS
        if server.source != "environment"
    ] or [pytest.param(server, id=f"environment-{server.major}") for server in SERVERS]
    if all(server.major >= 18 for server in SERVERS):
        reason = "no PostgreSQL 15, 16 or 17 on this machine (Debian: apt install postgresql)"
        servers.append(pytest.param(None, id="older", marks=pytest.mark.skip(reason=reason)))
    return servers


@dataclass
class Clusters:
    """Makes clusters in a directory of the test's own, and ends them."""

    root: Path
    made: list[EmbeddedPostgres] = field(default_factory=list)

    def new(
        self, server: PostgresBinaries | None = None, name: str = "state dir", **options: Any
    ) -> EmbeddedPostgres:
        """A cluster that isn't started yet; throw-away unless `settings` are given."""
        options.setdefault("settings", NOT_DURABLE)
        options.setdefault("bin_dir", server.bin_dir if server else None)
        self.made.append(EmbeddedPostgres(self.root / name, **options))
        return self.made[-1]

    def copy(self, original: EmbeddedPostgres, name: str = "state dir") -> EmbeddedPostgres:
        """A cluster that was made before: quicker than initdb, and a moved repository besides."""
        subprocess.run(["cp", "-a", original.state.path, self.root / name], check=True)
        return self.new(name=name, bin_dir=original.binaries.bin_dir)

    def end(self) -> None:
        """Stop them all, whatever a failed test has left, and delete them."""
        for postgres in self.made:
            postgres.stop("immediate")
        for postgres in self.made:
            if postgres.state.path.exists():
                postgres.remove_data()
        shutil.rmtree(self.root)


PARENT = """
import os, signal, sys
from pathlib import Path
from service.embedded import EmbeddedPostgres
state_dir, bin_dir, job = sys.argv[1:]
settings = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB"}
postgres = EmbeddedPostgres(Path(state_dir), bin_dir=Path(bin_dir), settings=settings)
postgres.start()
forked = os.fork() if job == "fork" else 0
if job == "fork" and not forked:
    signal.pause()  # with every descriptor of ours
print(postgres.pid, forked, flush=True)
sys.stdin.readline()
if job == "stop":
    postgres.stop()
"""


class Parent:
    """A process of its own that runs a cluster until it is told to go on, or killed."""

    def __init__(
        self,
        state_dir: Path,
        bin_dir: Path,
        job: str = "stop",
        *,
        prefix: tuple[str, ...] = (),
        python: str = sys.executable,
        code: Path = REPO,
        user: int | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, python, "-c", PARENT, state_dir, bin_dir, job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PYTHONPATH": str(code), "PATH": os.environ["PATH"]},
            user=user,
            group=user,
            extra_groups=None if user is None else (),
        )

    def wait_ready(self) -> tuple[int, int]:
        """The process ids of the server and, with the job `fork`, of a forked child."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        server, forked = line.split()
        return int(server), int(forked)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self._close()

    def finish(self) -> None:
        """Let it do the rest of its job."""
        assert self.process.stdin is not None
        self.process.stdin.write("go on\n")
        self._close()
        assert self.process.returncode == 0

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
        self.process.wait(60)


def soon(condition: Callable[[], bool], seconds: float = 60) -> bool:
    """Whether the condition comes true before the test gives up."""
    return wait_until(condition, seconds)


def gone(pid: int) -> bool:
    return soon(lambda: not is_alive(pid))
