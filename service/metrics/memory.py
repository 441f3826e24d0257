"""Memory that all processes of a service share: a region for each, written by that one alone.

It holds what is measured, and how many connections the process has: see service.api.accepting.

prometheus_client has files for this, each number behind a lock and a pack: a counter and a
histogram took 6.3 us a request there and take 0.8 us here. It also needs a directory to write to
and to clean up, which a container with a read-only file system does not have. This memory has no
name: it goes away with the processes, and outlives one that crashes, so no counter ever goes back.
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# A region: how many series, how many connections, the numbers, the series' keys. Only touched pages
# take memory.
_NUMBER = struct.Struct("=Q")
_KEY = struct.Struct("=HH")  # bytes of the key, cells of the series
_CELLS = 16384
_CONNECTIONS_AT = _NUMBER.size
_CELLS_AT = 64
_KEYS_AT = _CELLS_AT + 8 * _CELLS
_REGION_BYTES = 768 * 1024
_SPARE = 64  # cells at the end that take what has no room, unread


class Memory:
    """The shared memory, by its descriptor, which other processes may inherit."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.map = mmap.mmap(fd, 0)
        self.regions = len(self.map) // _REGION_BYTES

    @classmethod
    def make(cls, regions: int) -> Memory:
        """All zero."""
        if hasattr(os, "memfd_create"):
            fd = os.memfd_create("payledger-metrics")
        else:
            with tempfile.TemporaryFile() as file:
                fd = os.dup(file.fileno())
        os.ftruncate(fd, regions * _REGION_BYTES)
        return cls(fd)

    def read(self, region: int) -> Iterator[tuple[str, tuple[float, ...]]]:
        """Every series of a region: its key and its numbers."""
        base = region * _REGION_BYTES
        for key, cell, width in _entries(self.map, base):
            yield key, struct.unpack_from(f"={width}d", self.map, base + _CELLS_AT + 8 * cell)

    def connections(self, region: int) -> int:
        """How many the region's process has."""
        count: int
        (count,) = _NUMBER.unpack_from(self.map, region * _REGION_BYTES + _CONNECTIONS_AT)
        return count

    def close(self) -> None:
        """This process has done with it."""
        self.map.close()
        os.close(self.fd)


class Region:
    """The region that this process writes. One thread only: an addition is read, add, write."""

    def __init__(self, memory: Memory, index: int) -> None:
        """Goes on where a process that had the region before has stopped."""
        self.memory = memory
        self.index = index
        self.dropped = 0  # series that had no room
        self._base = index * _REGION_BYTES
        begin = self._base + _CELLS_AT
        self.cells = memoryview(memory.map)[begin : begin + 8 * _CELLS].cast("d")
        self._places: dict[str, int] = {}
        self._next_cell = 0
        self._next_key = self._base + _KEYS_AT
        self.tell_connections(0)
        for key, cell, width in _entries(memory.map, self._base):
            self._places[key] = cell
            self._next_cell = cell + width
            self._next_key += _KEY.size + len(key.encode())

    @classmethod
    def alone(cls) -> Region:
        """Of a process that shares with nobody."""
        return cls(Memory.make(1), 0)

    def tell_connections(self, count: int) -> None:
        """How many this process has now."""
        _NUMBER.pack_into(self.memory.map, self._base + _CONNECTIONS_AT, count)

    def place(self, key: str, width: int = 1) -> int:
        """The series' first cell in `cells`; a new series begins with zeros."""
        if (place := self._places.get(key)) is not None:
            return place
        encoded = key.encode()
        end = self._next_key + _KEY.size + len(encoded)
        if self._next_cell + width > _CELLS - _SPARE or end > self._base + _REGION_BYTES:
            self.dropped += 1
            return _CELLS - _SPARE
        place = self._places[key] = self._next_cell
        memory = self.memory.map
        _KEY.pack_into(memory, self._next_key, len(encoded), width)
        memory[self._next_key + _KEY.size : end] = encoded
        self._next_cell += width
        self._next_key = end
        # Last: a reader sees a series only when all of it is there.
        _NUMBER.pack_into(memory, self._base, len(self._places))
        return place


def _entries(memory: mmap.mmap, base: int) -> Iterator[tuple[str, int, int]]:
    """Key, first cell and number of cells of each series of a region."""
    (count,) = _NUMBER.unpack_from(memory, base)
    at, cell = base + _KEYS_AT, 0
    for _ in range(count):
        length, width = _KEY.unpack_from(memory, at)
        at += _KEY.size
        yield memory[at : at + length].decode(), cell, width
        at += length
        cell += width
