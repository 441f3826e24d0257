"""The `payledger` command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

from service.commands import import_, install, keys, psql, up, verify
from service.commands.terminal import CommandError, OutputError
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status is 0, 1 for what went wrong, 2 for a misuse."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # What follows `psql` is psql's, even what looks like an option of ours.
    ours, rest = (arguments[:1], arguments[1:]) if arguments[:1] == ["psql"] else (arguments, [])
    options = _parser().parse_args(ours, argparse.Namespace(arguments=rest))
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as exc:
        print(exc, file=sys.stderr)
        return 2
    try:
        status: int = options.run(settings, options)
    except CommandError as exc:
        print(f"payledger {options.command}: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our output has had enough, as `head` has
        _drop_output()
        return 128 + signal.SIGPIPE
    except OutputError as exc:
        _drop_output()
        print(f"payledger {options.command}: cannot write the output: {exc}", file=sys.stderr)
        return 1
    return status


def _drop_output() -> None:
    """What is still in the buffer would fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payledger", description="The payments ledger that lives in your own PostgreSQL."
    )
    parser.add_argument("--version", action="version", version=f"payledger {version('payledger')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (up, psql, install, verify, keys, import_):
        module.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
