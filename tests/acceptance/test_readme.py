"""The README's commands, pasted as they stand into a folder where `make up` runs; and the restore
of docs/operations.md.

The folder is a temporary one with a space in its path. It holds this repository's Makefile and
programs; the only thing changed in a pasted line is the port, which has to be a free one.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from support.processes import heed_signals

from service.embedded import EmbeddedPostgres
from service.embedded.processes import wait_until

REPO = Path(__file__).parents[2]
README = REPO / "README.md"
OPERATIONS = REPO / "docs" / "operations.md"
PRINTED_URL = "http://127.0.0.1:8080"
START_SECONDS = 90.0

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[0-9:.]+Z")


@dataclass(frozen=True)
class Step:
    """A block of commands, and the answer that the README prints below it."""

    language: str  # sh | sql
    commands: str
    printed: str | None


def steps(page: Path = README) -> list[Step]:
    found: list[Step] = []
    for language, text in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language in ("sh", "sql"):
            found.append(Step(language, text, None))
        else:
            last = found.pop()
            assert last.printed is None, f"two answers below one another: {text}"
            found.append(Step(last.language, last.commands, text))
    return found


def comparable(text: str) -> list[str]:
    """What stays the same from run to run; spaces at the ends of lines don't count."""
    lines = _TIME.sub("TIME", _UUID.sub("UUID", text)).splitlines()
    return [line.rstrip() for line in lines]


class Clone:
    """A folder that looks like a clone to make, and the `make up` that runs in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o711)
        for name in ("Makefile", "pyproject.toml", "requirements.lock"):
            (path / name).symlink_to(REPO / name)
        # The programs that run this test, installed already as far as make can see.
        (path / ".venv").mkdir()
        (path / ".venv" / "bin").symlink_to(Path(sys.executable).parent)
        (path / ".venv" / ".installed").touch()
        self.log = path / "up.log"
        with self.log.open("w") as log:
            self.up = subprocess.Popen(
                ["make", "up"],
                cwd=path,
                env=self.environment() | {"PAYLEDGER_PORT": "0"},
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=heed_signals,
            )

    def environment(self) -> dict[str, str]:
        kept = {
            n: v for n, v in os.environ.items() if not n.startswith(("PAYLEDGER_", "PG", "MAKE"))
        }
        return kept | {"PSQLRC": "/dev/null", "PAGER": "cat", "LC_ALL": "C"}

    @property
    def said(self) -> str:
        return self.log.read_text()

    @property
    def url(self) -> str:
        found = re.search(r"ready on (http://127\.0\.0\.1:\d+) ", self.said)
        assert found, self.said
        return found[1]

    def wait_ready(self) -> None:
        def settled() -> bool:
            return self.up.poll() is not None or "Ctrl-C stops it." in self.said

        assert wait_until(settled, START_SECONDS), self.said
        assert self.up.poll() is None, self.said

    @property
    def as_superuser(self) -> dict[str, str]:
        """What makes PostgreSQL's programs talk to the running server."""
        cluster = EmbeddedPostgres(self.path / ".payledger")
        path = f"{cluster.binaries.bin_dir}{os.pathsep}{os.environ['PATH']}"
        server = urlsplit(cluster.dsn("postgres"))
        return {
            "PATH": path,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": "postgres",
            "PGPASSWORD": server.password or "",
        }

    def run(
        self, command: list[str], text: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.path,
            env=self.environment() | environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def shell(self, script: str, **environment: str) -> str:
        """What a terminal shows; the first failing command fails the test."""
        here = script.replace(PRINTED_URL, self.url)
        done = self.run(["bash", "-euo", "pipefail"], here, **environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def psql(self, script: str) -> str:
        """What `make psql` shows."""
        done = self.run(["make", "psql"], f"\\set ON_ERROR_STOP on\n{script}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def end(self) -> None:
        """Ctrl-C, as a terminal sends it: to make and to what it runs."""
        os.killpg(self.up.pid, signal.SIGINT)
        self.up.wait(60)
        assert wait_until(lambda: not (self.path / ".payledger" / "running.json").exists(), 60)

    def remove(self) -> None:
        if self.up.poll() is None:
            self.up.terminate()  # make passes it on
            self.up.wait(60)
        cluster = EmbeddedPostgres(self.path / ".payledger")
        cluster.remove_data()
        cluster.state.drop_socket_dir()
        shutil.rmtree(self.path.parent)


@pytest.fixture(scope="module")
def clone() -> Iterator[Clone]:
    for program in ("make", "bash", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} here")
    root = Path(tempfile.mkdtemp(prefix="payledger-readme-"))
    root.chmod(0o711)  # the server's user isn't root
    made = Clone(root / "a clone")
    try:
        made.wait_ready()
        yield made
        made.end()
    finally:
        made.remove()


def test_everything_in_the_readme_answers_as_printed(clone: Clone) -> None:
    session = ""  # a terminal keeps its variables from block to block
    for step in steps():
        if step.language == "sql":
            printed = comparable(step.printed or "")
            assert comparable(clone.psql(step.commands))[: len(printed)] == printed
        else:
            before = clone.shell(session) if session else ""
            session += step.commands
            # Pasting the blocks so far once more is part of the promise: the same answers again.
            answer = clone.shell(session)[len(before) :]
            # The README prints one of two equal answers.
            assert set(comparable(answer)) >= set(comparable(step.printed or "")), answer


def test_what_make_up_prints_can_be_pasted_too(clone: Clone) -> None:
    curl, psql = (line.strip() for line in clone.said.splitlines() if line.startswith("  "))
    assert '"accounts":[' in clone.shell(curl)
    assert psql == "make psql"
    assert "main" in clone.psql("select name from ledger.find_ledger('main');")


def test_a_retry_has_the_bytes_of_the_first_answer(clone: Clone) -> None:
    shells = [step.commands for step in steps() if step.language == "sh"]
    clone.shell(shells[0])
    first, second = clone.shell(preamble(shells[0]) + shells[1]).splitlines()
    assert first == second
    assert '"payment_id"' in first


def test_the_restore_that_operators_are_told_to_do_leaves_a_sound_ledger(clone: Clone) -> None:
    clone.shell("".join(step.commands for step in steps() if step.language == "sh"))
    (restore,) = (step.commands for step in steps(OPERATIONS) if step.language == "sh")
    answer = clone.shell(restore, **clone.as_superuser)
    assert [line.strip() for line in answer.splitlines() if line.strip().isdigit()] == ["2", "0"]

    restored = (
        "\\connect payledger_restored\n"
        "select outcome, replayed from ledger.find_payment_by_key('deposit-1');\n"
        "select problem, subject from ledger.check_installation();\n"
    )
    answer = clone.psql(restored)
    assert "posted  | t" in answer
    assert "(0 rows)" in answer


def preamble(block: str) -> str:
    """The lines that set the session up, without those that ask for anything."""
    return block.partition("\n\n")[0] + "\n"
