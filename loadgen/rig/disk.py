"""A disk of our own that can be filled: an ext4 image on a loop device, so fsync is real."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from loadgen.rig.programs import RigFailed, run

BYTES = 8 << 30


class Disk:
    """Mounted at `path`; `problem` says why there is none, and then `path` is a plain directory."""

    def __init__(self, home: Path) -> None:
        self.path = home / "disk"
        self.problem: str | None = None
        self._image = home / "disk.img"
        self._filler = self.path / "filler"

    async def create(self) -> None:
        """Make and mount it, where we may."""
        self.path.mkdir()
        if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
            self.problem = "needs root and mkfs.ext4, to mount a small disk"
            return
        with self._image.open("wb") as image:
            image.truncate(BYTES)
        try:
            await run(["mkfs.ext4", "-q", "-m", "0", self._image])
            await run(["mount", "-o", "loop", self._image, self.path])
        except RigFailed as error:
            self.problem = f"a small disk could not be mounted: {error}"
        self.path.chmod(0o777)

    def fill(self) -> None:
        """Leave no room on it."""
        room = os.statvfs(self.path)
        free = room.f_bavail * room.f_frsize
        with self._filler.open("wb") as filler:
            # The last block may be refused: then it is full already.
            for size in (free, free // 2, 1 << 20):
                try:
                    os.posix_fallocate(filler.fileno(), 0, size)
                except OSError:
                    continue
                break

    def clear(self) -> None:
        """Give the room back."""
        self._filler.unlink(missing_ok=True)

    async def remove(self) -> None:
        """Unmount it."""
        if self.problem is None:
            await run(["umount", "-l", self.path])
