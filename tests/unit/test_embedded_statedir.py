"""The state directory's lock, private files and socket directory."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.embedded import EmbeddedError
from service.embedded.identity import Identity
from service.embedded.statedir import LONGEST_SOCKET_DIR, StateDir

ME = Identity()  # of the socket directories made here, whoever runs the tests


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StateDir]:
    state = StateDir(tmp_path / "state dir")
    state.make()
    yield state
    state.unlock()
    state.drop_socket_dir()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_second_lock_is_refused_and_names_the_holder(state: StateDir) -> None:
    state.lock()
    other = StateDir(state.path)
    with pytest.raises(EmbeddedError, match=rf"already in use by process {os.getpid()}\b"):
        other.lock()
    assert other.holder() == os.getpid()
    state.unlock()
    assert other.holder() is None
    other.lock()
    other.unlock()


def test_a_directory_never_used_has_no_holder_and_no_password(tmp_path: Path) -> None:
    state = StateDir(tmp_path / "new")
    assert state.holder() is None
    with pytest.raises(EmbeddedError, match="never started"):
        state.password("postgres")
    assert not state.path.exists()


def test_passwords_are_random_kept_and_private(state: StateDir) -> None:
    password = state.password("postgres", make=True)
    assert len(password) >= 32
    assert state.password("postgres") == password
    assert state.password("other", make=True) != password
    assert mode(state.path / "passwords/postgres") == 0o600
    assert mode(state.path / "passwords") == 0o700


def test_others_may_not_look_into_a_state_directory(state: StateDir) -> None:
    assert mode(state.path) & 0o066 == 0


def test_a_state_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)
    StateDir(tmp_path).make()
    assert mode(tmp_path) == 0o750


def test_a_big_log_is_put_aside(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.embedded.statedir.MAX_LOG_BYTES", 10)
    for text in (b"first, long", b"second"):
        fd = state.open_log("postgres.log")
        os.write(fd, text)
        os.close(fd)
    assert state.log.read_bytes() == b"second"
    assert state.log.with_suffix(".log.1").read_bytes() == b"first, long"
    assert mode(state.log) == 0o600


def test_a_short_plain_path_holds_the_socket_itself(tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.make_server_dir(ME)
    assert state.make_socket_dir(ME) == tmp_path / "postgres"


@pytest.mark.parametrize("name", ["with a space", "x" * 100, "comma,quote'"])
def test_another_path_gets_a_short_private_socket_directory_and_keeps_it(
    tmp_path: Path, name: str
) -> None:
    state = StateDir(tmp_path / name)
    state.make()
    state.make_server_dir(ME)
    made = state.make_socket_dir(ME)
    assert len(os.fsencode(made)) <= LONGEST_SOCKET_DIR
    assert mode(made) == 0o700
    assert state.make_socket_dir(ME) == made
    state.drop_socket_dir()
    assert not made.exists()


def test_a_socket_directory_that_others_can_enter_is_not_used_again(state: StateDir) -> None:
    state.make_server_dir(ME)
    made = state.make_socket_dir(ME)
    made.chmod(0o755)
    assert state.make_socket_dir(ME) != made
    made.rmdir()


def test_data_that_went_missing_behind_its_link_is_an_error(state: StateDir) -> None:
    (state.path / "postgres").symlink_to(state.path / "gone")
    with pytest.raises(EmbeddedError, match="no longer there"):
        state.make_server_dir(ME)


def test_two_state_directories_with_the_same_data_exclude_each_other(
    state: StateDir, tmp_path: Path
) -> None:
    state.make_server_dir(ME)
    state.lock()
    state.lock_data()
    copy = StateDir(tmp_path / "copy")
    copy.lock()
    (copy.path / "postgres").symlink_to(state.server_dir)
    with pytest.raises(EmbeddedError, match="already in use through another state directory"):
        copy.lock_data()
    copy.unlock()
