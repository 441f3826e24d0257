"""The `payledger` command."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from service.commands import install
from service.commands.terminal import CommandError
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status is 0, 1 for what went wrong, 2 for a misuse."""
    options = _parser().parse_args(argv)
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
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payledger", description="The payments ledger that lives in your own PostgreSQL."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    install.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
