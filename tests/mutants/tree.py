"""A copy of the tree to break: yours is only read."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mutants.mutant import Mutant

REPO = Path(__file__).parents[2]

# What a verdict depends on, but for the mutant itself.
_JUDGED = ("db", "loadgen", "service", "tests", "pyproject.toml", "requirements.lock")
_OURS = (Path("tests", "mutants"), Path("tests", "unit", "test_mutants.py"))
_IGNORED = shutil.ignore_patterns("__pycache__", "results", "prove-results", "build", "dist")
_MEMORY = Path("/dev/shm")


class Copy:
    """A tree of its own, in which one mutant at a time lives."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @contextmanager
    def broken_by(self, mutant: Mutant) -> Iterator[None]:
        """The mutant is in force meanwhile. Raises StaleError."""
        path = self.root / mutant.file
        whole = path.read_text(encoding="utf-8")
        _write(path, mutant.applied_to(whole))
        try:
            yield
        finally:
            _write(path, whole)


@contextmanager
def copied(source: Path = REPO) -> Iterator[Copy]:
    """A copy of what can be run in the tree, without what was made from it; then it is removed."""
    folder = _MEMORY if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="payledger-mutants-", dir=folder) as home:
        Path(home).chmod(0o755)  # the servers' user isn't root, and reads
        root = Path(home, "tree")
        root.mkdir()
        for path in source.iterdir():
            if path.name.startswith(".") or path.name in _IGNORED(str(source), [path.name]):
                continue
            if path.is_dir():
                shutil.copytree(path, root / path.name, ignore=_IGNORED)
            else:
                shutil.copy2(path, root)
        # pgTAP, as the tests keep it: they would fetch it anew.
        cache = source / ".cache"
        cache.mkdir(exist_ok=True)
        (root / ".cache").symlink_to(cache.resolve())
        yield Copy(root)


def digest(source: Path = REPO) -> str:
    """Of all that a verdict depends on: other code or other tests, another verdict."""
    paths = [source / name for name in _JUDGED]
    found = [file for path in paths for file in (path, *path.rglob("*")) if file.is_file()]
    hashed = hashlib.sha256()
    for file in sorted(found):
        name = file.relative_to(source)
        if "__pycache__" in name.parts or any(name.is_relative_to(ours) for ours in _OURS):
            continue
        hashed.update(f"{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return hashed.hexdigest()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    if path.suffix == ".py":
        # Python tells a file from its compiled form by size and second, which may be the same.
        Path(importlib.util.cache_from_source(path)).unlink(missing_ok=True)
