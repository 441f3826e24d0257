"""What commands say, and how one ends when it cannot do what it was asked."""

from __future__ import annotations

import sys


class CommandError(Exception):
    """Ends the command with exit status 1; the message says what to do."""


def say(line: str) -> None:
    """Prints a result, at once even into a pipe."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def warn(line: str) -> None:
    """Prints what is not a result."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
