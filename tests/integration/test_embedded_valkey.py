"""The embedded Valkey: it answers, keeps nothing, and ends with its parent."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from embedded_support import REPO, gone

from service.embedded import EmbeddedError, EmbeddedValkey
from service.embedded.processes import is_alive, parent_of
from service.embedded.statedir import StateDir
from service.embedded.valkey import leftover_of, stop_leftover


@pytest.fixture
def state() -> Iterator[StateDir]:
    """A state directory in a path with a space."""
    root = Path(tempfile.mkdtemp(prefix="payledger valkey "))
    state = StateDir(root / "state")
    state.make()
    yield state
    stop_leftover(leftover_of(state.path))
    state.drop_socket_dir("valkey")
    shutil.rmtree(root)


@pytest.fixture
def valkey(state: StateDir) -> Iterator[EmbeddedValkey]:
    with EmbeddedValkey(state) as running:
        yield running


def ask(valkey: EmbeddedValkey, *words: str) -> str:
    """The answer to one command, as it comes over the line."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(unquote(valkey.url.removeprefix("unix://")))
        parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        line.sendall(f"*{len(words)}\r\n{parts}".encode())
        return line.recv(65536).decode()


PARENT = """
import sys
from pathlib import Path
from service.embedded import EmbeddedValkey
from service.embedded.statedir import StateDir
valkey = EmbeddedValkey(StateDir(Path(sys.argv[1])))
valkey.start()
print(valkey.pid, flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def parent(state: StateDir) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that has started a server; the server's number is its first line."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, state.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd="/",
        env={"PYTHONPATH": str(REPO), "PATH": os.environ["PATH"]},
    ) as process:
        yield process
        process.kill()


def server_of(parent: "subprocess.Popen[str]") -> int:
    assert parent.stdout is not None
    return int(parent.stdout.readline())


# -- what it is --------------------------------------------------------------------------------


def test_it_is_a_cache_that_evicts_and_writes_no_file(valkey: EmbeddedValkey) -> None:
    assert ask(valkey, "set", "a", "1") == "+OK\r\n"
    assert ask(valkey, "config", "get", "maxmemory-policy").split("\r\n")[4] == "allkeys-lru"
    assert int(ask(valkey, "config", "get", "maxmemory").split("\r\n")[4]) > 0
    assert ask(valkey, "config", "get", "appendonly").split("\r\n")[4] == "no"
    assert ask(valkey, "config", "get", "save").split("\r\n")[4] == ""


def test_only_its_user_reaches_it_and_only_over_the_socket(
    valkey: EmbeddedValkey, state: StateDir
) -> None:
    path = Path(unquote(valkey.url.removeprefix("unix://")))
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert ask(valkey, "config", "get", "port").split("\r\n")[4] == "0"
    assert stat.S_IMODE((state.path / "valkey.log").stat().st_mode) == 0o600


def test_a_long_path_gets_a_short_socket_that_goes_away_with_the_server(tmp_path: Path) -> None:
    state = StateDir(tmp_path / ("deep " * 20) / "state")
    state.make()
    with EmbeddedValkey(state) as valkey:
        place = Path(unquote(valkey.url.removeprefix("unix://"))).parent
        assert ask(valkey, "ping") == "+PONG\r\n"
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert not place.exists()


# -- its life ----------------------------------------------------------------------------------


def test_stopping_leaves_nothing_and_a_restart_is_empty_and_has_the_same_url(
    state: StateDir,
) -> None:
    valkey = EmbeddedValkey(state)
    valkey.start()
    url, pid = valkey.url, valkey.pid
    ask(valkey, "set", "a", "1")
    valkey.stop()
    assert not is_alive(pid)
    assert not valkey.runs
    assert list((state.path / "valkey").iterdir()) == []

    with valkey:
        assert valkey.url == url
        assert ask(valkey, "get", "a") == "$-1\r\n"


def test_starting_one_that_runs_is_refused(valkey: EmbeddedValkey) -> None:
    with pytest.raises(EmbeddedError, match="runs already"):
        valkey.start()
    assert ask(valkey, "ping") == "+PONG\r\n"


def test_one_that_crashed_is_seen_and_starts_again(valkey: EmbeddedValkey) -> None:
    os.kill(valkey.pid, signal.SIGKILL)
    assert gone(valkey.pid)
    assert not valkey.runs
    valkey.start()
    assert ask(valkey, "ping") == "+PONG\r\n"


def test_it_ends_when_its_parent_is_killed(parent: "subprocess.Popen[str]") -> None:
    server = server_of(parent)
    parent.kill()
    assert gone(server)


def test_it_ends_when_parent_and_watchdog_are_killed(parent: "subprocess.Popen[str]") -> None:
    server = server_of(parent)
    watchdog = parent_of(server)
    assert parent_of(watchdog) == parent.pid
    parent.kill()
    os.kill(watchdog, signal.SIGKILL)
    assert gone(server)


def test_what_a_killed_predecessor_left_is_ended_by_the_next_start(
    parent: "subprocess.Popen[str]", state: StateDir
) -> None:
    server = server_of(parent)
    os.kill(server, signal.SIGSTOP)  # it cannot hear that it should end
    os.kill(parent_of(server), signal.SIGKILL)
    parent.kill()
    parent.wait()
    with EmbeddedValkey(state) as valkey:
        assert not is_alive(server)
        assert ask(valkey, "ping") == "+PONG\r\n"


def test_a_later_owner_of_its_number_is_left_alone(state: StateDir) -> None:
    pid_file = leftover_of(state.path)
    pid_file.parent.mkdir()
    with subprocess.Popen(["sleep", "60"], cwd=pid_file.parent) as stranger:
        pid_file.write_text(f"{stranger.pid}\n")
        assert not stop_leftover(pid_file)
        assert stranger.poll() is None
        assert not pid_file.exists()
        stranger.kill()


# -- what may be missing -----------------------------------------------------------------------


def test_without_a_program_it_says_how_to_get_one(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.embedded.binaries._package_dirs", lambda _: [])
    with pytest.raises(EmbeddedError, match="PAYLEDGER_VALKEY_BIN"):
        EmbeddedValkey(state, {"PATH": "/nonexistent"})


def test_a_program_that_is_no_server_is_told_with_what_it_said(
    state: StateDir, tmp_path: Path
) -> None:
    program = tmp_path / "no-server"
    program.write_text("#!/bin/sh\necho not today >&2\nexit 3\n")
    program.chmod(0o755)
    valkey = EmbeddedValkey(state, {"PAYLEDGER_VALKEY_BIN": str(program)})
    with pytest.raises(EmbeddedError, match=r"did not start(.|\n)*not today"):
        valkey.start()
    assert not valkey.runs
