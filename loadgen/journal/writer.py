"""Writes a history so that what was appended can be waited for, many appends to one fsync."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from loadgen.journal.records import Entry, encode

MOST_BUFFERED = 1 << 20
"""Bytes that may wait for an fsync that nobody has asked for."""


class JournalFailed(Exception):
    """The disk did not take the history: from here on nothing more may be sent."""


class Journal:
    """An append-only file. One fsync serves everyone who came while the last one was under way.

    At a thousand requests a second and 1 ms an fsync, some requests share each, and none waits for
    more than two: that keeps the invoke records exact without a limit on throughput.
    """

    def __init__(self, path: Path, sync: Callable[[int], None] = os.fdatasync) -> None:
        self.path = path
        self._sync = sync
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        _sync_directory(path.parent)
        self._buffer = bytearray()
        self._due: asyncio.Future[None] | None = None
        self._flusher: asyncio.Task[None] | None = None
        self._failed: OSError | None = None

    def append(self, entry: Entry) -> None:
        """Take an entry; it is on disk when a `durable` begun from now on returns."""
        self._buffer += encode(entry)
        self._buffer += b"\n"
        if len(self._buffer) >= MOST_BUFFERED:
            self._ask()

    async def durable(self) -> None:
        """Return when everything appended so far is on disk; raises JournalFailed."""
        if self._failed is not None:
            raise JournalFailed(str(self._failed)) from self._failed
        await asyncio.shield(self._ask())

    async def close(self) -> None:
        """Write what is left and close the file."""
        try:
            await self.durable()
        finally:
            os.close(self._file)

    def _ask(self) -> asyncio.Future[None]:
        if self._due is None:
            self._due = asyncio.get_running_loop().create_future()
            if self._flusher is None or self._flusher.done():
                self._flusher = asyncio.create_task(self._flush())
        return self._due

    async def _flush(self) -> None:
        while self._due is not None:
            due, self._due = self._due, None
            chunk, self._buffer = self._buffer, bytearray()
            try:
                await asyncio.to_thread(self._write, chunk)
            except OSError as error:
                # After a failed fsync the kernel may have dropped the pages: never try again.
                self._failed = error
                due.set_exception(JournalFailed(str(error)))
                due.exception()  # seen, even when nobody waits
            else:
                due.set_result(None)

    def _write(self, chunk: bytearray) -> None:
        if self._failed is not None:
            raise self._failed
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._sync(self._file)


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
