"""The `payledger` command."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from service.commands import import_, install, keys, psql, up, verify
from service.commands.terminal import CommandError, OutputError, say
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; the exit status is 0, 1 for what went wrong, 2 for a misuse."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    # What follows `psql` is psql's, even what looks like an option of ours.
    ours, rest = (arguments[:1], arguments[1:]) if arguments[:1] == ["psql"] else (arguments, [])
    name = "payledger"
    try:
        options = _parser().parse_args(ours, argparse.Namespace(arguments=rest))
        name = f"payledger {options.command}"
        status: int = options.run(Settings.from_env(os.environ), options)
    except SettingsError as exc:
        print(exc, file=sys.stderr)
        return 2
    except CommandError as exc:
        print(f"{name}: {exc}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our output has had enough, as `head` has
        _drop_output()
        return 128 + signal.SIGPIPE
    except OutputError as exc:
        _drop_output()
        print(f"{name}: cannot write the output: {exc}", file=sys.stderr)
        return 1
    return status


def _drop_output() -> None:
    """What is still in the buffer would fail once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Version(argparse.Action):
    """Looks the version up when it is asked for, not whenever a command starts."""

    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, default=argparse.SUPPRESS, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        say(f"payledger {version('payledger')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="payledger", description="The payments ledger that lives in your own PostgreSQL."
    )
    parser.add_argument("--version", action=_Version, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (up, psql, install, verify, keys, import_):
        module.add_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
