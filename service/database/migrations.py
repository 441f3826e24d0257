"""The migration runner: what db/ says, in one transaction, under one lock.

Migrations run once, in order, and are frozen by checksum. Function files are applied again
whenever their text changed. Two runners may start at once: the second waits, then finds nothing
to do.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from service.database import source as sql_source
from service.database.connections import CONNECT_SECONDS, DRIVER_ERRORS, said
from service.database.source import GRANTS, Source, SqlFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]

# pg_advisory_xact_lock's key: "payledgr" in ASCII.
LOCK_KEY = int.from_bytes(b"payledgr")

# How long one statement of a migration may wait for a lock. While it waits (behind a pg_dump, say)
# every payment queues up behind it, so it is short: nothing has happened, and it can be run again.
LOCK_TIMEOUT = "5s"

# Sent before anything else by the runner and by the plain file alike. Names without a schema fail
# (search_path is empty), so that what a file creates never depends on who runs it.
PROLOGUE = f"""\
set local client_min_messages = warning;
set local search_path = '';
set local standard_conforming_strings = on;
set local check_function_bodies = off;
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
set local lock_timeout = 0;
do $$
begin
  if current_setting('server_version_num')::int < 150000 then
    raise exception 'payledger needs PostgreSQL 15 or newer, this is %',
      current_setting('server_version');
  end if;
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'payledger needs a database with encoding UTF8, this one has %',
      current_setting('server_encoding');
  end if;
  if current_setting('server_version_num')::int >= 170000 then
    perform set_config('transaction_timeout', '0', true);
  end if;
  perform pg_advisory_xact_lock({LOCK_KEY});
end
$$;
set local lock_timeout = '{LOCK_TIMEOUT}';
create schema if not exists ledger_private;
create table if not exists ledger_private.schema_migrations (
  name text constraint schema_migrations_name_is_unique primary key,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);
create table if not exists ledger_private.function_files (
  path text constraint function_files_path_is_unique primary key,
  checksum text not null,
  applied_at timestamptz not null default clock_timestamp()
);
"""

# Function files are applied in path order, but may call each other in any: bodies are checked when
# all are there. That covers unchanged functions too, whose tables a migration may have changed.
CHECK_BODIES = """\
set local check_function_bodies = on;
do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid, l.lanname
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    join pg_catalog.pg_language l on l.oid = p.prolang
    where n.nspname in ('ledger', 'ledger_private')
    order by p.oid
  loop
    case v_function.lanname
      when 'sql' then perform pg_catalog.fmgr_sql_validator(v_function.oid);
      when 'plpgsql' then perform pg_catalog.plpgsql_validator(v_function.oid);
      else null;
    end case;
  end loop;
end
$$;
"""

MAINTENANCE_EXISTS = """\
exists (
  select from pg_catalog.pg_proc p
  join pg_catalog.pg_namespace n on n.oid = p.pronamespace
  where n.nspname = 'ledger' and p.proname = 'maintain_partitions'
)"""


class MigrationError(Exception):
    """Nothing was changed unless the message says otherwise; it names the file and what to do."""


@dataclass(frozen=True)
class Report:
    """What one run did, by file name; all empty when the database was current."""

    migrations_applied: tuple[str, ...] = ()
    functions_applied: tuple[str, ...] = ()
    functions_disappeared: tuple[str, ...] = ()  # a migration has to drop what they made
    partitions: tuple[str, ...] = ()  # e.g. "ledger.payments_2026_12: created"
    warnings: tuple[str, ...] = ()  # the server's, e.g. a grant that had no effect

    @property
    def changed(self) -> bool:
        """Whether any file was applied or taken off the books."""
        return bool(self.migrations_applied or self.functions_applied or self.functions_disappeared)


@dataclass(frozen=True)
class _Recorded:
    """What the database says was applied: name -> checksum."""

    migrations: Mapping[str, str]
    functions: Mapping[str, str]


class _Warnings:
    """Collects what the server warns of (the prologue silences notices), by file."""

    def __init__(self) -> None:
        self.file: SqlFile | None = None
        self.lines: list[str] = []

    def add(self, _connection: Connection, message: asyncpg.PostgresLogMessage) -> None:
        prefix = f"{self.file.shown}: " if self.file else ""
        self.lines.append(f"{prefix}{message.message}")


@functools.cache
def _shipped() -> Source:
    return sql_source.load()


async def migrate(dsn: str, source: Source | None = None) -> Report:
    """Brings the database behind `dsn` up to `source` (default: the tree shipped with this code).

    Raises MigrationError, and nothing else, when it cannot.
    """
    source = source or _shipped()
    try:
        con = await asyncpg.connect(
            dsn,
            timeout=CONNECT_SECONDS,
            server_settings={"application_name": "payledger migrate"},
        )
    except DRIVER_ERRORS as exc:
        raise MigrationError(f"cannot connect: {said(exc)}") from exc
    try:
        return await _migrate(con, source)
    except DRIVER_ERRORS as exc:
        raise MigrationError(f"interrupted: {said(exc)}; run it again") from exc
    finally:
        await con.close(timeout=5)


async def pending(con: Connection, source: Source | None = None) -> list[str]:
    """Every difference between the database and `source`, as a line each; empty when current."""
    source = source or _shipped()
    try:
        recorded = await _read_records(con)
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        recorded = _Recorded({}, {})
    lines = _refusals(source, recorded)
    lines += [f"{file.shown}: not applied" for file in _new_migrations(source, recorded)]
    lines += [
        f"{file.shown}: not applied as it is" for file in _changed_functions(source, recorded)
    ]
    lines += [f"db/functions/{path}: applied, but gone" for path in _disappeared(source, recorded)]
    return lines


async def _migrate(con: Connection, source: Source) -> Report:
    warnings = _Warnings()
    con.add_log_listener(warnings.add)

    # Read committed whatever the database's default: after the wait for the lock the second of two
    # runners must see what the first one committed.
    async with con.transaction(isolation="read_committed"):
        await _prologue(con)
        recorded = await _read_records(con)
        if refusals := _refusals(source, recorded):
            raise MigrationError("nothing was changed:\n" + "\n".join(refusals))
        migrations = _new_migrations(source, recorded)
        functions = _to_apply(source, recorded, migrations)
        gone = _disappeared(source, recorded)

        for file in migrations:
            warnings.file = file
            await _apply(con, file)
            await con.execute(
                "insert into ledger_private.schema_migrations (name, checksum) values ($1, $2)",
                file.name,
                file.checksum,
            )
        for file in functions:
            warnings.file = file
            await _apply(con, file)
            await con.execute(
                """
                insert into ledger_private.function_files (path, checksum) values ($1, $2)
                on conflict (path) do update
                set checksum = excluded.checksum, applied_at = excluded.applied_at
                """,
                file.name,
                file.checksum,
            )
        await con.execute(
            "delete from ledger_private.function_files where path = any($1::text[])", gone
        )
        if migrations or functions:
            await _check_bodies(con, source)

        # A new ledger appears with its partitions, or not at all. An old one gets them after the
        # commit: waiting for their locks must not prolong the locks of the migrations.
        installing = not recorded.migrations
        if installing:
            partitions = await _maintain_partitions(con, "nothing was changed, as")
    if not installing:
        partitions = await _maintain_partitions(con, "the files are applied, but")

    return Report(
        tuple(file.name for file in migrations),
        tuple(file.name for file in functions),
        tuple(gone),
        partitions,
        tuple(warnings.lines),
    )


async def _prologue(con: Connection) -> None:
    try:
        await con.execute(PROLOGUE)
    except asyncpg.PostgresError as exc:
        raise MigrationError(f"cannot begin: {_describe(exc)}; nothing was changed") from exc


async def _read_records(con: Connection) -> _Recorded:
    migrations = await con.fetch("select name, checksum from ledger_private.schema_migrations")
    functions = await con.fetch("select path, checksum from ledger_private.function_files")
    return _Recorded(
        {row["name"]: row["checksum"] for row in migrations},
        {row["path"]: row["checksum"] for row in functions},
    )


def _refusals(source: Source, recorded: _Recorded) -> list[str]:
    """Applied migrations that are not in the tree as they were applied."""
    files = {file.name: file for file in source.migrations}
    refusals = []
    for name, checksum in sorted(recorded.migrations.items()):
        if name not in files:
            refusals.append(
                f"db/migrations/{name}: applied to this database, but missing here; put it back "
                "(is this release older than the database?)"
            )
        elif files[name].checksum != checksum:
            refusals.append(
                f"{files[name].shown}: changed since it was applied; put the old text back and "
                "write what you want to change as a new migration"
            )
    return refusals


def _new_migrations(source: Source, recorded: _Recorded) -> list[SqlFile]:
    return [file for file in source.migrations if file.name not in recorded.migrations]


def _changed_functions(source: Source, recorded: _Recorded) -> list[SqlFile]:
    return [file for file in source.functions if recorded.functions.get(file.name) != file.checksum]


def _disappeared(source: Source, recorded: _Recorded) -> list[str]:
    return sorted(recorded.functions.keys() - {file.name for file in source.functions})


def _to_apply(source: Source, recorded: _Recorded, migrations: Sequence[SqlFile]) -> list[SqlFile]:
    """The changed function files; with the grants whenever there is anything to own or to grant."""
    changed = _changed_functions(source, recorded)
    if not changed and not migrations:
        return []
    return [file for file in source.functions if file in changed or file.name == GRANTS]


async def _apply(con: Connection, file: SqlFile) -> None:
    try:
        await con.execute(file.text)
    except asyncpg.PostgresError as exc:
        where = f"{file.shown}:{_line(file, exc.position)}" if exc.position else file.shown
        raise MigrationError(f"{where}: {_describe(exc)}; nothing was changed") from exc


async def _check_bodies(con: Connection, source: Source) -> None:
    try:
        await con.execute(CHECK_BODIES)
    except asyncpg.PostgresError as exc:
        # The server quotes the body, word for word as it stands in the file.
        body = exc.internal_query or "\0"
        where = next(
            (
                f"{file.shown}:{_line(file, exc.internal_position, file.text.index(body))}: "
                for file in source.functions
                if body in file.text
            ),
            "",
        )
        raise MigrationError(f"{where}{exc.args[0]} ({exc.sqlstate}); nothing was changed") from exc


def _line(file: SqlFile, position: str | None, start: int = 0) -> int:
    """The line of the server's position (a character, from 1) in the file's text from `start`."""
    return file.text.count("\n", 0, start + int(position or 1) - 1) + 1


def _describe(exc: asyncpg.PostgresError) -> str:
    """The server's message with what it said besides, on one line each."""
    parts = [f"{exc.args[0]} ({exc.sqlstate})"]
    if isinstance(exc, asyncpg.LockNotAvailableError):
        parts.append(f"another session held a lock for {LOCK_TIMEOUT}: try again when it is done")
    parts += [
        f"{name}: {text}" for name in ("detail", "hint", "context") if (text := getattr(exc, name))
    ]
    return "\n  ".join(parts)


async def _maintain_partitions(con: Connection, outcome: str) -> tuple[str, ...]:
    try:
        if not await con.fetchval(f"select {MAINTENANCE_EXISTS}"):
            return ()
        rows = await con.fetch("select * from ledger.maintain_partitions()")
    except asyncpg.PostgresError as exc:
        raise MigrationError(f"{outcome} making partitions failed: {_describe(exc)}") from exc
    return tuple(": ".join(map(str, row)) for row in rows)
