"""Throw-away clusters go into memory only where every user of theirs can work, and find room."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

import pytest
from support import scratch

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as /dev/shm is, and nothing decided yet."""
    folder = tmp_path / "memory"
    folder.mkdir()
    folder.chmod(0o1777)
    monkeypatch.setattr(scratch, "MEMORY", folder)
    monkeypatch.setattr(scratch, "NEEDED_BYTES", 1)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.delenv("TMPDIR")
    return folder


def test_a_folder_in_memory_is_taken_by_this_process_and_its_children(memory: Path) -> None:
    scratch.use_memory()
    assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(memory)


def test_what_somebody_chose_is_left(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(memory.parent))
    scratch.use_memory()
    assert tempfile.gettempdir() == str(memory.parent)


def test_a_folder_that_is_not_there_or_not_for_everybody_is_not_taken(memory: Path) -> None:
    assert scratch.fits(memory)
    memory.chmod(0o755)  # the embedded server runs as another user than root
    assert not scratch.fits(memory)
    assert not scratch.fits(memory / "missing")


def test_a_small_folder_is_not_taken(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "NEEDED_BYTES", 2**60)
    assert not scratch.fits(memory)


@pytest.mark.parametrize("flag", [os.ST_NOEXEC, os.ST_RDONLY])
def test_a_folder_in_which_nothing_runs_or_is_written_is_not_taken(
    memory: Path, monkeypatch: pytest.MonkeyPatch, flag: int
) -> None:
    found = os.statvfs(memory)
    changed = os.statvfs_result((*found[:8], found.f_flag | flag, found.f_namemax))
    monkeypatch.setattr(os, "statvfs", lambda _folder: changed)
    assert not scratch.fits(memory)
