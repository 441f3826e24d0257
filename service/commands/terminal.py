"""What commands say, and how one ends when it cannot do what it was asked."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


class CommandError(Exception):
    """Ends the command with exit status 1; the message says what to do."""


class OutputError(Exception):
    """What was said could not be written where it was to go, to a full disk for example."""


def say(line: str) -> None:
    """Prints a result, at once even into a pipe."""
    write(line + "\n")


def write(text: str) -> None:
    """Prints a result as it is. Raises OutputError."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as exc:
        raise OutputError(exc.strerror) from exc


def warn(line: str) -> None:
    """Prints what is not a result."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints columns, each as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    for row in (headings, ["-" * width for width in widths], *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())


@contextmanager
def progress(what: str, total: float | None) -> Iterator[Callable[[float], None]]:
    """A bar for people who watch; nothing in a log file, or where rich is not installed."""
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield lambda _: None
        return
    console = Console(file=sys.stderr)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=total)
        yield lambda steps: bar.advance(task, steps)
