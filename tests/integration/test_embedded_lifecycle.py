"""The embedded server's life: it ends with its parent, and whatever was killed starts again."""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from embedded_support import NOT_DURABLE, SERVERS, Clusters, Parent, each_server, gone, soon

from service.embedded import EmbeddedError, EmbeddedPostgres, PostgresBinaries
from service.embedded import postgres as postgres_module
from service.embedded.launch import port_is_free
from service.embedded.processes import is_alive, parent_of


@pytest.fixture(scope="module")
def originals() -> Iterator[dict[PostgresBinaries, EmbeddedPostgres]]:
    """A stopped cluster of each server with a table in it, in a path with spaces."""
    clusters = Clusters(Path(tempfile.mkdtemp(prefix="payledger original ")))
    clusters.root.chmod(0o711)
    made = {}
    for server in SERVERS:
        made[server] = clusters.new(server, f"{server.source} {server.major}")
        with made[server] as running:
            running.run_sql("create table kept as select 7 as n", database="payledger")
    yield made
    clusters.end()


@pytest.fixture
def clusters() -> Iterator[Clusters]:
    clusters = Clusters(Path(tempfile.mkdtemp(prefix="payledger test ")))
    clusters.root.chmod(0o711)  # the server's user isn't root
    yield clusters
    clusters.end()


@pytest.fixture(params=each_server())
def each_postgres(
    request: pytest.FixtureRequest,
    originals: dict[PostgresBinaries, EmbeddedPostgres],
) -> Iterator[EmbeddedPostgres]:
    """A stopped cluster of each server that is installed; every test finds it stopped."""
    original = originals[request.param]
    yield original
    original.stop("immediate")


@pytest.fixture
def postgres(
    originals: dict[PostgresBinaries, EmbeddedPostgres],
) -> Iterator[EmbeddedPostgres]:
    """A stopped cluster of the preferred server; every test finds it stopped."""
    original = originals[SERVERS[0]]
    yield original
    original.stop("immediate")


def parent_for(postgres: EmbeddedPostgres, job: str = "stop") -> Parent:
    return Parent(postgres.state.path, postgres.binaries.bin_dir, job)


def assert_it_works(postgres: EmbeddedPostgres) -> None:
    assert postgres.run_sql("select n from kept", database="payledger") == "7"


# -- the parent dies ---------------------------------------------------------------------------


def test_the_server_stops_when_its_parent_is_killed_and_starts_again(
    each_postgres: EmbeddedPostgres,
) -> None:
    parent = parent_for(each_postgres)
    server, _ = parent.wait_ready()
    parent.kill()
    assert gone(server)
    each_postgres.start()
    assert_it_works(each_postgres)


def test_a_start_right_after_the_parent_was_killed_waits_for_the_old_server(
    postgres: EmbeddedPostgres,
) -> None:
    parent = parent_for(postgres)
    server, _ = parent.wait_ready()
    parent.kill()
    postgres.start()
    assert not is_alive(server)
    assert_it_works(postgres)


def test_the_server_stops_when_its_parent_ends_without_a_word(postgres: EmbeddedPostgres) -> None:
    parent = parent_for(postgres, "just end")
    server, _ = parent.wait_ready()
    parent.finish()
    assert gone(server)


def test_the_server_stops_although_a_forked_child_keeps_the_parents_pipe(
    postgres: EmbeddedPostgres,
) -> None:
    parent = parent_for(postgres, "fork")
    server, forked = parent.wait_ready()
    try:
        parent.kill()
        assert gone(server)
        assert is_alive(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_the_server_stops_when_parent_and_watchdog_are_killed(postgres: EmbeddedPostgres) -> None:
    parent = parent_for(postgres)
    server, _ = parent.wait_ready()
    watchdog = parent_of(server)
    assert parent_of(watchdog) == parent.process.pid
    os.kill(watchdog, signal.SIGSTOP)  # it can't do anything more
    parent.kill()
    os.kill(watchdog, signal.SIGKILL)
    assert gone(server)
    postgres.start()
    assert_it_works(postgres)


def test_the_server_stops_when_its_watchdog_is_killed_and_starts_again(
    postgres: EmbeddedPostgres,
) -> None:
    postgres.start()
    server = postgres.pid
    os.kill(parent_of(server), signal.SIGKILL)
    assert gone(server)
    assert not postgres.runs
    postgres.start()
    assert_it_works(postgres)


# -- leftovers ---------------------------------------------------------------------------------


def test_a_leftover_server_that_nobody_watches_is_stopped(each_postgres: EmbeddedPostgres) -> None:
    leftover = run_unwatched(each_postgres)
    each_postgres.start()
    assert leftover.wait(60) == 0  # it shut down properly
    assert_it_works(each_postgres)


def test_a_leftover_server_that_hangs_is_killed(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds in ("FAST_SHUTDOWN_SECONDS", "IMMEDIATE_SHUTDOWN_SECONDS"):
        monkeypatch.setattr(f"service.embedded.processes.{seconds}", 0.1)
    leftover = run_unwatched(postgres)
    leftover.send_signal(signal.SIGSTOP)
    postgres.start()
    assert leftover.wait(60) == -signal.SIGKILL
    assert_it_works(postgres)


def test_a_backend_that_outlives_its_server_is_ended_before_the_next_start(
    postgres: EmbeddedPostgres,
) -> None:
    postgres.start()
    backend = int(
        postgres.run_sql("select pid from pg_stat_activity where backend_type = 'checkpointer'")
    )
    os.kill(backend, signal.SIGSTOP)  # it doesn't notice that the server dies
    server = postgres.pid
    os.kill(server, signal.SIGKILL)
    assert gone(server)
    assert is_alive(backend)
    postgres.start()
    assert not is_alive(backend)
    assert_it_works(postgres)


def test_a_stranger_with_the_dead_servers_number_lives_and_does_not_stop_the_start(
    postgres: EmbeddedPostgres,
) -> None:
    postgres.start()
    postgres.kill()
    pid_file = postgres.data_dir / "postmaster.pid"
    identity = postgres.state.identity()
    with subprocess.Popen(["sleep", "60"], user=identity.uid, group=identity.gid) as stranger:
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:]]) + "\n")
        postgres.start()
        assert_it_works(postgres)
        assert stranger.poll() is None
        stranger.kill()


def run_unwatched(postgres: EmbeddedPostgres) -> subprocess.Popen[bytes]:
    """The cluster's server as a killed parent and watchdog could have left it."""
    identity = postgres.state.identity()
    server = subprocess.Popen(
        [
            *(postgres.binaries.bin_dir / "postgres", "-D", postgres.data_dir),
            *("-c", "listen_addresses=", "-c", f"unix_socket_directories={tempfile.gettempdir()}"),
            *("-c", f"port={postgres.port}"),
        ],
        stderr=subprocess.DEVNULL,
        user=identity.uid,
        group=identity.gid,
    )
    pid_file = postgres.data_dir / "postmaster.pid"
    assert soon(lambda: pid_file.exists() and "ready" in pid_file.read_text())
    return server


# -- crashes -----------------------------------------------------------------------------------


def test_what_was_committed_survives_kill_9_of_all_server_processes(
    each_postgres: EmbeddedPostgres,
) -> None:
    each_postgres.start()
    each_postgres.run_sql("insert into kept values (8)", database="payledger")
    server = each_postgres.pid
    each_postgres.kill()
    assert not is_alive(server)
    assert not each_postgres.runs
    each_postgres.start()
    sql = "select sum(n) from kept; delete from kept where n = 8"
    assert each_postgres.run_sql(sql, database="payledger") == "15"


def test_a_first_start_that_was_killed_in_initdb_leaves_nothing_in_the_way(
    clusters: Clusters,
) -> None:
    postgres = clusters.new()
    postgres.state.make()
    identity = postgres.state.identity()
    postgres.state.make_server_dir(identity)
    half = postgres.data_dir.with_name("new-0123abcd")
    identity.shell('mkdir "$1"; touch "$1/PG_VERSION" "$1.password"', half)
    postgres.start()
    assert postgres.run_sql("select 1") == "1"
    assert {path.name for path in postgres.state.server_dir.iterdir()} - {"data"} == set()


def test_lost_passwords_are_replaced_and_the_data_stays(each_postgres: EmbeddedPostgres) -> None:
    old = each_postgres.dsn("postgres")
    for file in (each_postgres.state.path / "passwords").iterdir():
        file.unlink()
    each_postgres.start()
    assert_it_works(each_postgres)
    assert each_postgres.dsn("postgres") != old
    login = {"user": "payledger_service", "database": "payledger"}
    assert each_postgres.run_sql("select 1", **login) == "1"


# -- two at once, ports, failures --------------------------------------------------------------


def test_a_second_start_on_one_state_directory_is_refused(postgres: EmbeddedPostgres) -> None:
    parent = parent_for(postgres)
    server, _ = parent.wait_ready()
    refusal = rf"already in use by process {parent.process.pid}\b.*PAYLEDGER_STATE_DIR"
    with pytest.raises(EmbeddedError, match=refusal):
        postgres.start()
    with pytest.raises(EmbeddedError, match=refusal):
        postgres.remove_data()
    assert is_alive(server)
    parent.finish()
    postgres.start()
    with pytest.raises(EmbeddedError, match="runs already"):
        postgres.start()
    assert_it_works(postgres)


def test_another_port_is_taken_when_a_stranger_has_ours(postgres: EmbeddedPostgres) -> None:
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        postgres.state.write("port", str(taken))
        postgres.start()
        assert postgres.port != taken
        assert f":{postgres.port}/" in postgres.dsn()
        assert_it_works(postgres)


def test_a_port_lost_between_the_look_and_the_start_is_replaced(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    lies = [True, True]
    monkeypatch.setattr(
        postgres_module, "port_is_free", lambda port: lies.pop() if lies else port_is_free(port)
    )
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        postgres.state.write("port", str(taken))
        postgres.start()
        assert not lies
        assert postgres.port != taken
        assert "Address already in use" in postgres.state.log.read_text()


def test_a_port_that_was_asked_for_is_used_or_refused(
    clusters: Clusters, originals: dict[PostgresBinaries, EmbeddedPostgres]
) -> None:
    clusters.copy(originals[SERVERS[0]])
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        postgres = clusters.new(port=port)
        with pytest.raises(EmbeddedError, match=f"port {port} .* taken by another program"):
            postgres.start()
    postgres.start()
    assert postgres.port == port
    assert EmbeddedPostgres(postgres.state.path).port == port


def test_a_failed_start_shows_the_servers_log_and_leaves_nothing_behind(
    clusters: Clusters, originals: dict[PostgresBinaries, EmbeddedPostgres]
) -> None:
    good = clusters.copy(originals[SERVERS[0]])
    bad = clusters.new(settings=NOT_DURABLE | {"shared_preload_libraries": "no_such_library"})
    with pytest.raises(EmbeddedError, match="no_such_library"):
        bad.start()
    assert not bad.runs
    good.start()
    assert_it_works(good)


def test_data_of_another_version_is_refused_with_both_versions_named(
    clusters: Clusters, originals: dict[PostgresBinaries, EmbeddedPostgres]
) -> None:
    majors = sorted({server.major for server in SERVERS})
    if len(majors) < 2:
        pytest.skip("only one version of PostgreSQL on this machine")
    old, new = (next(one for one in SERVERS if one.major == major) for major in majors[:2])
    clusters.copy(originals[old])
    with pytest.raises(EmbeddedError, match=f"of PostgreSQL {old.major}; .* {new.major}") as caught:
        clusters.new(new).start()
    assert "can't run it" in str(caught.value)
    matching = clusters.new()  # no server chosen: one that fits the data is
    matching.start()
    assert matching.binaries.major == old.major
    assert_it_works(matching)


def test_removed_data_is_gone_and_the_next_start_begins_empty(
    clusters: Clusters, originals: dict[PostgresBinaries, EmbeddedPostgres]
) -> None:
    postgres = clusters.copy(originals[SERVERS[0]])  # a moved directory works, too
    with postgres:
        assert_it_works(postgres)
    data = postgres.data_dir
    postgres.remove_data()
    assert not data.exists()
    assert not (postgres.state.path / "passwords").exists()
    postgres.start()
    assert postgres.run_sql("select to_regclass('kept') is null", database="payledger") == "t"
