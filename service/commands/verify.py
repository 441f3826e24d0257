"""`verify`: holds the whole ledger against its promises."""

from __future__ import annotations

import argparse
import asyncio
import json
from typing import TYPE_CHECKING

from service.commands.targets import admin_dsn
from service.commands.terminal import CommandError, progress, say, table
from service.database.connections import DatabaseError
from service.database.sessions import session
from service.database.verification import Breach, find_ledger_id, verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.commands.terminal import Commands
    from service.settings import Settings

DEFAULT_SLICES = 16
MOST_SLICES = 100_000


def add_commands(commands: Commands) -> None:
    """Adds `verify` to the parser."""
    parser = commands.add_parser("verify", help="check every balance, version and payment")
    parser.add_argument("--ledger", metavar="NAME", help="only this one (default: all)")
    parser.add_argument(
        "--slices",
        type=_slices,
        default=DEFAULT_SLICES,
        metavar="N",
        help="how many pieces to cut the work into, more for a bigger ledger (default: 16)",
    )
    parser.set_defaults(run=run_verify)


def run_verify(settings: Settings, options: argparse.Namespace) -> int:
    """Exit status 1 when there is any breach; they are listed on stdout."""
    try:
        with progress("verifying", options.slices) as advance:
            breaches = asyncio.run(
                _verify(admin_dsn(settings), options.ledger, options.slices, advance)
            )
    except DatabaseError as exc:
        raise CommandError(str(exc)) from exc
    if not breaches:
        say("sound: no breach found")
        return 0
    table(
        ("breach", "ledger", "subject", "detail"),
        [
            (
                found.breach,
                "" if found.ledger_id is None else str(found.ledger_id),
                found.subject,
                json.dumps(found.detail),
            )
            for found in breaches
        ],
    )
    say(f"NOT SOUND: {len(breaches)} breach{'es' if len(breaches) > 1 else ''} found")
    return 1


async def _verify(
    dsn: str, ledger: str | None, slices: int, advance: Callable[[float], None]
) -> list[Breach]:
    async with session(dsn, "payledger verify") as con:
        ledger_id = None
        if ledger is not None and (ledger_id := await find_ledger_id(con, ledger)) is None:
            raise CommandError(f"no ledger is called {ledger}")
        breaches: list[Breach] = []
        async for found in verify(con, ledger_id, slices):
            breaches += found
            advance(1)
        return breaches


def _slices(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= MOST_SLICES):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_SLICES}")
    return int(text)
