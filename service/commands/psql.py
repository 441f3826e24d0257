"""`psql`: a session on the ledger's database."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from service.commands.targets import admin_dsn
from service.commands.terminal import CommandError
from service.embedded import EmbeddedError, find_postgres

if TYPE_CHECKING:
    import argparse

    from service.commands.terminal import Commands
    from service.settings import Settings


def add_commands(commands: Commands) -> None:
    """Adds `psql` to the parser."""
    parser = commands.add_parser(
        "psql", help="a psql session on the running database; more arguments go to psql"
    )
    parser.set_defaults(run=run_psql)


def run_psql(settings: Settings, options: argparse.Namespace) -> int:
    """Becomes psql, so that signals, the terminal and the exit status are psql's own."""
    program = _find_psql(settings.pg_bin)
    dsn, password = split_password(admin_dsn(settings))
    env = dict(os.environ)
    if password is not None:
        env["PGPASSWORD"] = password
    os.execve(program, [str(program), f"--dbname={dsn}", *options.arguments], env)  # noqa: S606


def split_password(dsn: str) -> tuple[str, str | None]:
    """The DSN without its password, and the password: no process list may show it."""
    password = None
    address, question_mark, query = dsn.partition("?")
    scheme, _, rest = address.partition("://")
    auth, at, host = rest.rpartition("@")
    if ":" in auth:
        auth, _, quoted = auth.partition(":")
        password = unquote(quoted)
    parameters = []
    for parameter in query.split("&"):
        name, _, value = parameter.partition("=")
        if name == "password":
            password = password or unquote(value)
        else:
            parameters.append(parameter)
    return f"{scheme}://{auth}{at}{host}{question_mark}{'&'.join(parameters)}", password


def _find_psql(pg_bin: Path | None) -> Path:
    """The one asked for, the system's (it can edit lines), or the embedded server's."""
    if pg_bin is not None and (pg_bin / "psql").exists():
        return pg_bin / "psql"
    if found := shutil.which("psql"):
        return Path(found)
    try:
        program = find_postgres().bin_dir / "psql"
    except EmbeddedError as exc:
        raise CommandError(str(exc)) from exc
    if not program.exists():
        raise CommandError("no psql here: install PostgreSQL's client")
    return program
