"""Where throw-away clusters lie: in memory, where this machine has a file system there.

A database is hundreds of files: to copy the template took 0.35 s on ext4 and 0.05 s here, measured
once, one after the other, on a busy machine. What is tested are deaths of processes, which a file
survives in both. TMPDIR, if it is set, decides instead.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
NEEDED_BYTES = 4 * 1024**3


def use_memory() -> None:
    """For this process and those it starts."""
    if "TMPDIR" not in os.environ and fits(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is looked for again


def fits(folder: Path) -> bool:
    """Whether everybody may write and run programs there, and there is room for some clusters."""
    try:
        found = os.statvfs(folder)
        shared = folder.stat().st_mode & 0o1777 == 0o1777
    except OSError:
        return False
    forbidden = os.ST_NOEXEC | os.ST_RDONLY
    return (
        shared and not found.f_flag & forbidden and found.f_bavail * found.f_frsize >= NEEDED_BYTES
    )
