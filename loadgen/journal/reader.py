"""Reads a history, one entry at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from loadgen.journal.records import FORMAT, Begin, Entry, decode


class HistoryDamaged(Exception):
    """The file is no history, or something in the middle of it cannot be read."""


def read(path: Path) -> Iterator[tuple[int, Entry]]:
    """Give each entry with its offset in the file.

    The last line may be torn: then the generator was killed while it wrote it, and since nothing
    is sent before its invoke is whole on disk, nothing is lost with it.
    """
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            try:
                entry = decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise HistoryDamaged(f"{path}, byte {offset}: {error}") from error
            if offset == 0 and not (isinstance(entry, Begin) and entry.format == FORMAT):
                raise HistoryDamaged(f"{path} does not begin as a history of format {FORMAT}")
            yield offset, entry
            offset += len(line)


def begin_of(path: Path) -> Begin:
    """Give the first entry."""
    for _, entry in read(path):
        if isinstance(entry, Begin):
            return entry
    raise HistoryDamaged(f"{path} is empty")


def line_at(path: Path, offset: int) -> str:
    """Give the line at an offset, for evidence."""
    with path.open("rb") as file:
        file.seek(offset)
        return file.readline().decode(errors="backslashreplace").rstrip("\n")
