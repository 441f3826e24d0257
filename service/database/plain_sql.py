"""The whole tree as one SQL file, for installing with nothing but psql."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from service.database import source as sql_source
from service.database.migrations import CHECK_BODIES, MAINTENANCE_EXISTS, PROLOGUE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.database.source import Source, SqlFile

_HEADER = """\
-- payledger, complete, for PostgreSQL 15 or newer:
--   psql -X -d YOUR_DATABASE -f payledger.sql
-- Run it as a superuser, or as a role with CREATEROLE that may create schemas in the database.
--
-- All or nothing: everything happens in one transaction. It installs and never upgrades. Run again
-- on what it installed, it says so and changes nothing (exit status 0). On a database with another
-- version of payledger it stops with an error (exit status 3) and changes nothing; `payledger
-- migrate` upgrades, and finds what this file installed current.
--
-- Contents: {digest}
"""

# psql's own settings; the last two are put back at the end, for those who \i this file.
_PSQL = """\
\\set ON_ERROR_STOP on
\\set payledger_quiet :QUIET
\\set QUIET on
\\encoding UTF8
begin isolation level read committed;
"""

_INSTALLED_ALREADY = """\
with recorded (file, checksum) as (
  select 'migrations/' || name, checksum from ledger_private.schema_migrations
  union all
  select 'functions/' || path, checksum from ledger_private.function_files
)
select
  count(*) > 0 as payledger_installed,
  coalesce(
    encode(
      sha256(
        convert_to(
          string_agg(file || ' ' || checksum || chr(10), '' order by file collate "C"), 'UTF8'
        )
      ),
      'hex'
    ) = '{digest}',
    false
  ) as payledger_current
from recorded
\\gset
\\if :payledger_current
  rollback;
  \\set QUIET :payledger_quiet
  \\echo 'payledger is installed here already, exactly as in this file: nothing was changed.'
  \\quit
\\endif
\\if :payledger_installed
  do $$
  begin
    raise exception 'another version of payledger is installed here: nothing was changed'
      using hint = 'This file only installs. Use `payledger migrate` to upgrade.';
  end
  $$;
\\endif
"""

_FOOTER = f"""\
do $$
begin
  if {MAINTENANCE_EXISTS} then
    perform * from ledger.maintain_partitions();
  end if;
end
$$;
commit;
\\set QUIET :payledger_quiet
\\echo 'payledger is installed.'
"""


def plain_sql(source: Source | None = None) -> str:
    """One psql script that does what `migrate` does on an empty database; the same every time."""
    source = source or sql_source.load()
    digest = _digest(source)
    return "\n".join(
        [
            _HEADER.format(digest=digest),
            _PSQL + PROLOGUE + _INSTALLED_ALREADY.format(digest=digest),
            *_files(source),
            CHECK_BODIES + _FOOTER,
        ]
    )


def _digest(source: Source) -> str:
    lines = [f"{f.folder}/{f.name} {f.checksum}\n" for f in source.migrations + source.functions]
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _files(source: Source) -> Iterator[str]:
    for file in source.migrations:
        yield _file(file, "schema_migrations (name, checksum)")
    for file in source.functions:
        yield _file(file, "function_files (path, checksum)")


def _file(file: SqlFile, books: str) -> str:
    # A lone semicolon is nothing to psql; it ends a statement that the file left open.
    text = file.text.rstrip()
    name = file.name.replace("'", "''")
    return (
        f"-- {file.shown}\n"
        f"{text}{'' if text.endswith(';') else chr(10) + ';'}\n"
        f"insert into ledger_private.{books} values ('{name}', '{file.checksum}');\n"
    )
