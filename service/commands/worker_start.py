"""What a worker and the supervisor that started it know of each other.

Apart from `worker`, which imports the whole service: the commands, of which most serve nothing,
and the parent of the workers start in a third of the time without it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

# What a worker says on its channel; after FAILED comes why.
READY = b"ready\n"
FAILED = b"failed "

# What it is told there: to wait no longer for a database that will not come back.
DATABASE_GONE = b"database gone\n"

SHUTDOWN_MARGIN_SECONDS = 2.0  # a request that ends at its deadline still gets its answer
HANGING_SECONDS = 5.0  # more than that is no shutdown any more


def command() -> list[str]:
    """What to run as a worker; the arguments are those that its `main` reads."""
    # -P: a directory `service` where the command was typed is none of ours. What the imports make
    # stays: the garbage collector would look through it in vain, until the worker is ready.
    program = "import gc; gc.disable(); from service.commands.worker import main; exit(main())"
    return [sys.executable, "-P", "-c", program]


def python_path() -> str:
    """PYTHONPATH for `command`: wherever this module was found."""
    here = str(Path(__file__).parents[2])
    return os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))
