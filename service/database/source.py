"""The SQL tree (db/): finds it, reads it, and refuses what could not be applied in order."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

GRANTS = "90_grants.sql"

_MIGRATION_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")

# Everything is applied in one transaction. plpgsql's own `begin` has no semicolon after it, and
# bodies are indented, so only transaction commands of a script look like this.
_TRANSACTION_COMMAND = re.compile(
    r"^(begin|start\s+transaction|commit|rollback|abort|end\s+(work|transaction))\b[^;$\n]*;",
    re.IGNORECASE | re.MULTILINE,
)


class SourceError(Exception):
    """The SQL tree itself is unfit; the message names the file."""


@dataclass(frozen=True)
class SqlFile:
    """One file of the tree; `name` is its path below its folder, `shown` the one in messages."""

    folder: str
    name: str
    text: str

    @property
    def shown(self) -> str:
        """The path a person finds it under."""
        return f"db/{self.folder}/{self.name}"

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of the text, in hex. Line ends do not count: git may change them."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True)
class Source:
    """The tree: migrations by number, functions by path (90_grants.sql, the last one, included)."""

    migrations: tuple[SqlFile, ...]
    functions: tuple[SqlFile, ...]


def find_root() -> Path:
    """The folder with migrations/ and functions/: beside the package, or inside a wheel."""
    here = Path(__file__).resolve()
    candidates = (here.parents[1] / "_db", here.parents[2] / "db")
    for root in candidates:
        if (root / "migrations").is_dir():
            return root
    raise SourceError(f"no SQL files: looked for {' and '.join(map(str, candidates))}")


def load(root: Path | None = None) -> Source:
    """Reads the whole tree (default: the one shipped with this package)."""
    root = root or find_root()
    migrations = _read(root, "migrations")
    if not migrations:
        raise SourceError(f"no migrations in {root / 'migrations'}")
    for number, file in enumerate(migrations, start=1):
        if not _MIGRATION_NAME.fullmatch(file.name):
            raise SourceError(f"{file.shown}: the name must be NNNN_lower_case_words.sql")
        if int(file.name[:4]) != number:
            raise SourceError(
                f"{file.shown}: expected number {number:04d}; numbers run from 0001 without a gap "
                "and each belongs to one file"
            )
    return Source(migrations, _read(root, "functions"))


def _read(root: Path, folder: str) -> tuple[SqlFile, ...]:
    base = root / folder
    paths = sorted((p.relative_to(base) for p in base.rglob("*.sql")), key=lambda p: p.parts)
    return tuple(_read_file(base, folder, path) for path in paths)


def _read_file(base: Path, folder: str, path: Path) -> SqlFile:
    name = path.as_posix()
    try:
        text = (base / path).read_text(encoding="utf-8")
    except UnicodeDecodeError as exc:
        raise SourceError(f"db/{folder}/{name}: not UTF-8 ({exc.reason})") from exc
    file = SqlFile(folder, name, text)
    if found := _TRANSACTION_COMMAND.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise SourceError(
            f"{file.shown}:{line}: {found.group()!r}: the runner owns the transaction; remove it"
        )
    return file
