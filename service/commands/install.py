"""`migrate` and `sql`: the two ways to install."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.commands.targets import admin_dsn
from service.commands.terminal import CommandError, say, warn, write
from service.database.migrations import MigrationError, Report, migrate
from service.database.plain_sql import plain_sql
from service.database.source import SourceError

if TYPE_CHECKING:
    import argparse

    from service.commands.terminal import Commands
    from service.settings import Settings


def add_commands(commands: Commands) -> None:
    """Adds `migrate` and `sql` to the parser."""
    parser = commands.add_parser("migrate", help="bring the database up to this release")
    parser.set_defaults(run=run_migrate)
    parser = commands.add_parser("sql", help="print one SQL file that installs all with psql")
    parser.set_defaults(run=run_sql)


def run_migrate(settings: Settings, _options: argparse.Namespace) -> int:
    """Applies what is new and says what it was."""
    show(migrate_or_fail(admin_dsn(settings)))
    return 0


def run_sql(_settings: Settings, _options: argparse.Namespace) -> int:
    """Prints the plain file."""
    try:
        write(plain_sql())
    except SourceError as exc:
        raise CommandError(str(exc)) from exc
    return 0


def migrate_or_fail(dsn: str, hint: str = "") -> Report:
    """Runs the migrations; what goes wrong becomes a CommandError, with the hint."""
    try:
        return asyncio.run(migrate(dsn))
    except (MigrationError, SourceError) as exc:
        raise CommandError(f"{exc}{hint}") from exc


def show(report: Report) -> None:
    """A line for each thing done."""
    for name in report.migrations_applied:
        say(f"applied   migrations/{name}")
    for name in report.functions_applied:
        say(f"applied   functions/{name}")
    for line in report.partitions:
        say(f"partition {line}")
    for name in report.functions_disappeared:
        warn(f"gone: functions/{name}; what it made stays until a migration drops it")
    for line in report.warnings:
        warn(f"warning: {line}")
    say(summary(report))


def summary(report: Report) -> str:
    """The same in one line."""
    if not report.changed:
        return "the database is current"
    return (
        f"the database is migrated: {len(report.migrations_applied)} migrations, "
        f"{len(report.functions_applied)} function files"
    )
