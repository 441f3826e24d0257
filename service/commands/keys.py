"""`keys`: makes, lists and revokes API keys."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING

from service.commands.targets import admin_dsn
from service.commands.terminal import CommandError, say, table, warn
from service.database import api_keys
from service.database.connections import DatabaseError
from service.database.sessions import session
from service.database.verification import find_ledger_id

if TYPE_CHECKING:
    from datetime import datetime

    from service.commands.terminal import Commands
    from service.settings import Settings

APPLICATION_NAME = "payledger keys"


def add_commands(commands: Commands) -> None:
    """Adds `keys create`, `keys list` and `keys revoke` to the parser."""
    keys = commands.add_parser("keys", help="make, list and revoke API keys")
    actions = keys.add_subparsers(dest="action", required=True, metavar="ACTION")

    create = actions.add_parser("create", help="make a key; prints it, for the only time")
    create.add_argument("name", help="what it is for")
    create.add_argument(
        "--scope",
        action="append",
        choices=api_keys.SCOPES,
        metavar="SCOPE",
        help="read, write or admin; may be repeated (default: read and write)",
    )
    create.add_argument(
        "--ledger",
        action="append",
        metavar="NAME",
        help="a ledger it may use; may be repeated (default: every ledger)",
    )
    create.set_defaults(run=run_create)

    listing = actions.add_parser("list", help="list the keys")
    listing.set_defaults(run=run_list)

    revoke = actions.add_parser("revoke", help="end a key")
    revoke.add_argument(
        "api_key_id", type=_key_id, metavar="ID", help="its number, see `keys list`"
    )
    revoke.set_defaults(run=run_revoke)


def run_create(settings: Settings, options: argparse.Namespace) -> int:
    """The key alone goes to stdout, so that a script can catch it."""
    scopes = options.scope or ["read", "write"]

    async def create() -> str:
        async with session(admin_dsn(settings), APPLICATION_NAME) as con:
            ledger_ids = None
            if options.ledger:
                found = {name: await find_ledger_id(con, name) for name in options.ledger}
                if unknown := [name for name, ledger_id in found.items() if ledger_id is None]:
                    raise CommandError(f"no ledger is called {' or '.join(unknown)}")
                ledger_ids = [ledger_id for ledger_id in found.values() if ledger_id is not None]
            return await api_keys.create(con, options.name, scopes, ledger_ids)

    try:
        token = asyncio.run(create())
    except DatabaseError as exc:
        raise CommandError(str(exc)) from exc
    warn("Keep it safe: it is not stored and will not be shown again.")
    say(token)
    return 0


def run_list(settings: Settings, _options: argparse.Namespace) -> int:
    """One line for each key, revoked ones too."""

    async def list_all() -> list[api_keys.ApiKey]:
        async with session(admin_dsn(settings), APPLICATION_NAME) as con:
            return await api_keys.list_all(con)

    try:
        keys = asyncio.run(list_all())
    except DatabaseError as exc:
        raise CommandError(str(exc)) from exc
    table(
        ("id", "name", "scopes", "ledgers", "created", "revoked"),
        [
            (
                str(key.api_key_id),
                key.name,
                ",".join(key.scopes),
                "all" if key.ledger_ids is None else ",".join(map(str, key.ledger_ids)),
                _minute(key.created_at),
                "" if key.revoked_at is None else _minute(key.revoked_at),
            )
            for key in keys
        ],
    )
    return 0


def run_revoke(settings: Settings, options: argparse.Namespace) -> int:
    """An unknown or revoked key is an error: the right one may still be alive."""

    async def revoke() -> bool:
        async with session(admin_dsn(settings), APPLICATION_NAME) as con:
            return await api_keys.revoke(con, options.api_key_id)

    try:
        revoked = asyncio.run(revoke())
    except DatabaseError as exc:
        raise CommandError(str(exc)) from exc
    if not revoked:
        raise CommandError(f"there is no live key {options.api_key_id}")
    say(f"key {options.api_key_id} is revoked; running services refuse it within 5 s")
    return 0


def _key_id(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 2**63):
        raise argparse.ArgumentTypeError("must be a number that `keys list` shows")
    return int(text)


def _minute(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M")
