"""Clusters that are made once in a test run, whoever needs one gets a copy.

To make and start one, with the migrated template in it, takes two seconds, a copy of it a quarter
of that. The workers of a run share the originals.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from service.embedded.identity import choose_identity

if TYPE_CHECKING:
    from collections.abc import Callable

_HOME = "PAYLEDGER_TEST_PREPARED"  # for the workers, which inherit it


def open_home() -> None:
    """A place for the originals: by the process that begins and ends the run."""
    home = Path(tempfile.mkdtemp(prefix="payledger-prepared-"))
    home.chmod(0o711)  # the server's user isn't root
    os.environ[_HOME] = str(home)


def close_home() -> None:
    shutil.rmtree(os.environ.pop(_HOME))


def copy(name: str, make: Callable[[Path], None], state: Path) -> bool:
    """Put a copy of the state directory that `make` makes at `state`, which does not exist yet.

    False: there is no run that shares them, or the server's user cannot reach the place, so that
    what is made there would lie elsewhere.
    """
    if _HOME not in os.environ:
        return False
    home = Path(os.environ[_HOME])
    if not choose_identity([home]).can('cd "$1"', home):
        return False
    original = home / name
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first one makes it, the others wait for that
        if not original.exists():
            unfinished = home / f"{name}.new"
            make(unfinished)
            unfinished.rename(original)
    subprocess.run(["cp", "-a", original, state], check=True)
    return True
