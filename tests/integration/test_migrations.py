"""The migration runner and the plain SQL file, with small trees and with the real one."""

import asyncio
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from embedded_support import Clusters, each_server

from service.database import migrations
from service.database.migrations import LOCK_KEY, MigrationError, Report, migrate, pending
from service.database.plain_sql import plain_sql
from service.database.source import Source, load
from service.embedded import EmbeddedPostgres

TABLE = "create schema ledger;\ncreate table ledger.things (thing int);\n"
COUNT = """\
create or replace function ledger.count_things() returns bigint
language sql stable
return (select count(*) from ledger.things);
"""
GRANTS = "grant usage on schema ledger to public;\n"
MAINTENANCE = """\
create or replace function ledger.maintain_partitions(p_now timestamptz default clock_timestamp())
returns table (partition text, action text)
language plpgsql
as $$
begin
  insert into ledger.things values (1);
  return query select 'ledger.things_1', 'created';
end
$$;
"""
BROKEN_MAINTENANCE = MAINTENANCE.replace("values (1)", "values (1 / 0)")


class Tree:
    """A db/ of the test's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("migrations/0001_things", TABLE)
        self.write("functions/20_api/count_things", COUNT)
        self.write("functions/90_grants", GRANTS)

    def write(self, name: str, text: str) -> None:
        path = self.root / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, name: str) -> None:
        (self.root / f"{name}.sql").unlink()

    def load(self) -> Source:
        return load(self.root)


class Database:
    """An empty database that belongs to a CREATEROLE login without other rights."""

    def __init__(self, postgres: EmbeddedPostgres, name: str) -> None:
        self.postgres = postgres
        self.name = name
        self.dsn = postgres.dsn("payledger_migrator", name)

    def sql(self, sql: str) -> str:
        """As the superuser; unaligned output."""
        return self.postgres.run_sql(sql, database=self.name)

    def books(self) -> str:
        return self.sql(
            "select name, checksum from ledger_private.schema_migrations union all "
            "select path, checksum from ledger_private.function_files order by 1"
        )

    def dump(self) -> str:
        """The schema, with owners and grants; without the random tokens of newer pg_dumps."""
        dsn = self.postgres.dsn("postgres", self.name)
        done = subprocess.run(
            [self.postgres.binaries.bin_dir / "pg_dump", "--schema-only", f"--dbname={dsn}"],
            capture_output=True,
            text=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            check=True,
        )
        return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)

    def psql(self, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a script as the installer, from standard input."""
        return subprocess.run(
            [self.postgres.binaries.bin_dir / "psql", "-X", self.dsn, "-f", "-", *arguments],
            input=script,
            capture_output=True,
            text=True,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            check=False,
        )


@pytest.fixture(scope="module")
def clusters() -> Iterator[Clusters]:
    made = Clusters(Path(tempfile.mkdtemp(prefix="payledger-migrations-")))
    made.root.chmod(0o711)  # the server's user isn't root
    yield made
    made.end()


@pytest.fixture(scope="module", params=each_server())
def postgres(request: pytest.FixtureRequest, clusters: Clusters) -> EmbeddedPostgres:
    made = clusters.new(request.param, f"state-{request.param.major}")
    made.start()
    return made


@pytest.fixture
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    postgres.create_database("scratch")
    yield Database(postgres, "scratch")
    postgres.drop_database("scratch")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


async def differences(database: Database, source: Source | None = None) -> list[str]:
    con = await asyncpg.connect(database.dsn)
    try:
        return await pending(con, source)
    finally:
        await con.close()


async def waiting_for_locks(con: asyncpg.Connection, kind: str, count: int) -> None:
    """Returns when so many sessions of this database really wait for a lock of this kind."""
    async with asyncio.timeout(20):
        while count != await con.fetchval(  # noqa: ASYNC110 - the server tells nobody
            "select count(*) from pg_stat_activity where datname = current_database() "
            "and wait_event_type = 'Lock' and wait_event = $1",
            kind,
        ):
            await asyncio.sleep(0.01)


# -- what is applied, and when -------------------------------------------------------------------


async def test_the_first_run_applies_all_and_the_second_finds_nothing_to_do(
    database: Database, tree: Tree
) -> None:
    report = await migrate(database.dsn, tree.load())
    assert report == Report(
        migrations_applied=("0001_things.sql",),
        functions_applied=("20_api/count_things.sql", "90_grants.sql"),
    )
    assert report.changed
    assert database.sql("select ledger.count_things()") == "0"

    books = database.books()
    again = await migrate(database.dsn, tree.load())
    assert again == Report()
    assert not again.changed
    assert database.books() == books


async def test_the_installer_needs_no_superuser_and_owns_the_books(
    database: Database, tree: Tree
) -> None:
    await migrate(database.dsn, tree.load())
    owners = database.sql(
        "select distinct tableowner from pg_tables where schemaname = 'ledger_private'"
    )
    assert owners == "payledger_migrator"
    assert database.sql("select rolsuper from pg_roles where rolname = 'payledger_migrator'") == "f"


async def test_a_changed_function_is_applied_again_and_the_grants_after_it(
    database: Database, tree: Tree
) -> None:
    tree.write(
        "functions/10_private/zero",
        "create or replace function ledger.zero() returns int language sql return 0;",
    )
    await migrate(database.dsn, tree.load())
    tree.write("functions/20_api/count_things", COUNT.replace("count(*)", "count(*) + 40"))
    report = await migrate(database.dsn, tree.load())
    assert report == Report(functions_applied=("20_api/count_things.sql", "90_grants.sql"))
    assert database.sql("select ledger.count_things()") == "40"


async def test_changed_grants_alone_are_applied(database: Database, tree: Tree) -> None:
    await migrate(database.dsn, tree.load())
    tree.write("functions/90_grants", GRANTS + "grant select on ledger.things to public;\n")
    report = await migrate(database.dsn, tree.load())
    assert report == Report(functions_applied=("90_grants.sql",))


async def test_a_new_migration_is_applied_with_the_grants(database: Database, tree: Tree) -> None:
    await migrate(database.dsn, tree.load())
    tree.write("migrations/0002_more", "create table ledger.more (more int);")
    report = await migrate(database.dsn, tree.load())
    assert report == Report(
        migrations_applied=("0002_more.sql",), functions_applied=("90_grants.sql",)
    )


async def test_functions_may_call_what_a_later_file_makes(database: Database, tree: Tree) -> None:
    caller = "create or replace function ledger.a() returns int language sql as 'select ledger.b()'"
    tree.write("functions/20_api/a", caller)
    tree.write(
        "functions/20_api/b", caller.replace("ledger.b()", "7").replace("ledger.a", "ledger.b")
    )
    await migrate(database.dsn, tree.load())
    assert database.sql("select ledger.a()") == "7"


async def test_a_function_file_that_is_gone_is_told_once(database: Database, tree: Tree) -> None:
    await migrate(database.dsn, tree.load())
    tree.remove("functions/20_api/count_things")
    assert await differences(database, tree.load()) == [
        "db/functions/20_api/count_things.sql: applied, but gone"
    ]
    report = await migrate(database.dsn, tree.load())
    assert report == Report(functions_disappeared=("20_api/count_things.sql",))
    assert await migrate(database.dsn, tree.load()) == Report()


async def test_a_warning_of_the_server_is_in_the_report(database: Database, tree: Tree) -> None:
    tree.write("functions/90_grants", "grant select on pg_catalog.pg_authid to public;")
    database.sql("grant select on pg_authid to payledger_migrator")
    report = await migrate(database.dsn, tree.load())
    assert report.warnings == (
        'db/functions/90_grants.sql: no privileges were granted for "pg_authid"',
    )


# -- what is refused -----------------------------------------------------------------------------


async def test_a_changed_migration_is_refused_and_nothing_is_done(
    database: Database, tree: Tree
) -> None:
    await migrate(database.dsn, tree.load())
    books = database.books()
    tree.write("migrations/0001_things", TABLE + "-- improved\n")
    tree.write("migrations/0002_more", "create table ledger.more (more int);")
    with pytest.raises(MigrationError) as caught:
        await migrate(database.dsn, tree.load())
    assert "db/migrations/0001_things.sql: changed since it was applied" in str(caught.value)
    assert "as a new migration" in str(caught.value)
    assert database.books() == books
    assert database.sql("select to_regclass('ledger.more') is null") == "t"


async def test_a_missing_migration_is_refused_and_told_together_with_a_changed_one(
    database: Database, tree: Tree
) -> None:
    tree.write("migrations/0002_more", "create table ledger.more (more int);")
    await migrate(database.dsn, tree.load())
    tree.remove("migrations/0002_more")
    tree.write("migrations/0001_things", TABLE + "-- improved\n")
    with pytest.raises(MigrationError) as caught:
        await migrate(database.dsn, tree.load())
    first, *lines = str(caught.value).splitlines()
    assert first == "nothing was changed:"
    assert [line.partition(": ")[0] for line in lines] == [
        "db/migrations/0001_things.sql",
        "db/migrations/0002_more.sql",
    ]
    assert "missing here" in lines[1]


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("migrations/0002_bad", "select 1;\n\nselect '\u00e9' from\nnowhere;\n", ":4: "),
        ("migrations/0002_bad", "select 1;\ncreat table x();\n", ":2: "),
        ("migrations/0002_bad", "select 1;\nselect 1 / 0;\n", ": division by zero (22012)"),
        ("functions/20_api/bad", "create table unqualified (x int);\n", ":1: no schema"),
        (
            "functions/20_api/bad",
            "create or replace function ledger.bad() returns int language sql as $$\n"
            "  select '\u00e9'::text;\n  select nothing\n$$;\n",
            ":3: column",
        ),
        (
            "functions/20_api/bad",
            "create or replace function ledger.bad() returns int language plpgsql as $$\n"
            "begin\n  return 1;\n  retrun 2;\nend\n$$;\n",
            ":4: syntax error",
        ),
        ("functions/90_grants", "grant usage on schema ledger\nto nobody_at_all;\n", ": role"),
    ],
)
async def test_a_failing_file_is_told_with_its_line_and_everything_is_rolled_back(
    database: Database, tree: Tree, name: str, text: str, where: str
) -> None:
    tree.write(name, text)
    with pytest.raises(MigrationError) as caught:
        await migrate(database.dsn, tree.load())
    assert str(caught.value).startswith(f"db/{name}.sql{where}")
    assert str(caught.value).endswith("nothing was changed")
    made = "select count(*) from pg_namespace where nspname in ('ledger', 'ledger_private')"
    assert database.sql(made) == "0"


async def test_a_migration_that_breaks_an_unchanged_function_is_refused(
    database: Database, tree: Tree
) -> None:
    body = "as $$\n  select count(*)\n  from ledger.things\n$$;"
    quoted = COUNT.replace("return (select count(*) from ledger.things);", body)
    tree.write("functions/20_api/count_things", quoted)
    await migrate(database.dsn, tree.load())
    tree.write("migrations/0002_rename", "alter table ledger.things rename to items;")
    with pytest.raises(MigrationError, match=r"^db/functions/20_api/count_things\.sql:5: relation"):
        await migrate(database.dsn, tree.load())
    assert database.sql("select ledger.count_things()") == "0"


async def test_a_lock_that_others_hold_ends_the_run_after_a_short_time(
    database: Database, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    await migrate(database.dsn, tree.load())
    tree.write("migrations/0002_more", "alter table ledger.things add more int;")
    assert f"lock_timeout = '{migrations.LOCK_TIMEOUT}'" in migrations.PROLOGUE
    prologue = migrations.PROLOGUE.replace(migrations.LOCK_TIMEOUT, "50ms")
    monkeypatch.setattr(migrations, "PROLOGUE", prologue)
    dump = await asyncpg.connect(database.dsn)
    try:
        async with dump.transaction():
            await dump.execute("lock table ledger.things in access share mode")
            with pytest.raises(MigrationError, match="another session held a lock"):
                await migrate(database.dsn, tree.load())
    finally:
        await dump.close()
    report = await migrate(database.dsn, tree.load())
    assert report.migrations_applied == ("0002_more.sql",)


async def test_a_database_in_another_encoding_is_refused(
    postgres: EmbeddedPostgres, tree: Tree
) -> None:
    postgres.run_sql(
        "create database strange owner payledger_migrator template template0 "
        "encoding 'SQL_ASCII' locale 'C'"
        + (" locale_provider libc" if postgres.binaries.major >= 15 else "")
    )
    try:
        with pytest.raises(MigrationError, match="needs a database with encoding UTF8"):
            await migrate(postgres.dsn("payledger_migrator", "strange"), tree.load())
    finally:
        postgres.drop_database("strange")


async def test_a_wrong_address_or_password_is_told_without_the_password(tree: Tree) -> None:
    with pytest.raises(MigrationError, match="cannot connect") as caught:
        await migrate("postgresql://u:s3cret@127.0.0.1:1/d", tree.load())
    assert "s3cret" not in str(caught.value)


# -- two at once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_of_two_that_start_at_once_one_migrates_and_the_other_finds_nothing_to_do(
    database: Database, tree: Tree, isolation: str
) -> None:
    database.sql(f"alter database scratch set default_transaction_isolation = '{isolation}'")
    database.sql("alter database scratch set statement_timeout = '100ms'")
    # Both must be past the start of their transactions before either goes on.
    gate = await asyncpg.connect(database.dsn, server_settings={"statement_timeout": "0"})
    try:
        await gate.execute("select pg_advisory_lock($1)", LOCK_KEY)
        runs = [asyncio.create_task(migrate(database.dsn, tree.load())) for _ in range(2)]
        await waiting_for_locks(gate, "advisory", 2)
        await gate.execute("select pg_sleep(0.2)")  # longer than a statement may usually take
        await gate.execute("select pg_advisory_unlock($1)", LOCK_KEY)
        reports = await asyncio.gather(*runs)
    finally:
        await gate.close()
    assert sorted(len(report.migrations_applied) for report in reports) == [0, 1]
    assert sorted(report.changed for report in reports) == [False, True]


# -- partitions ----------------------------------------------------------------------------------


async def test_partitions_are_made_at_every_run(database: Database, tree: Tree) -> None:
    tree.write("functions/20_api/maintain_partitions", MAINTENANCE)
    report = await migrate(database.dsn, tree.load())
    assert report.partitions == ("ledger.things_1: created",)
    again = await migrate(database.dsn, tree.load())
    assert again == Report(partitions=("ledger.things_1: created",))
    assert database.sql("select ledger.count_things()") == "2"


async def test_a_ledger_that_could_not_make_its_partitions_is_not_installed(
    database: Database, tree: Tree
) -> None:
    tree.write("functions/20_api/maintain_partitions", BROKEN_MAINTENANCE)
    with pytest.raises(MigrationError, match="making partitions failed: division by zero"):
        await migrate(database.dsn, tree.load())
    assert database.sql("select to_regnamespace('ledger') is null") == "t"


async def test_an_upgrade_stands_even_if_partitions_could_not_be_made_after_it(
    database: Database, tree: Tree
) -> None:
    await migrate(database.dsn, tree.load())
    tree.write("functions/20_api/maintain_partitions", BROKEN_MAINTENANCE)
    with pytest.raises(MigrationError, match="the files are applied, but making partitions"):
        await migrate(database.dsn, tree.load())
    assert await differences(database, tree.load()) == []


# -- pending -------------------------------------------------------------------------------------


async def test_pending_lists_every_difference_and_nothing_when_current(
    database: Database, tree: Tree
) -> None:
    assert await differences(database, tree.load()) == [
        "db/migrations/0001_things.sql: not applied",
        "db/functions/20_api/count_things.sql: not applied as it is",
        "db/functions/90_grants.sql: not applied as it is",
    ]
    await migrate(database.dsn, tree.load())
    assert await differences(database, tree.load()) == []
    tree.write("migrations/0001_things", TABLE + "-- improved\n")
    tree.write("functions/20_api/count_things", COUNT + "-- improved\n")
    lines = await differences(database, tree.load())
    assert [line.partition(":")[0] for line in lines] == [
        "db/migrations/0001_things.sql",
        "db/functions/20_api/count_things.sql",
    ]


# -- the plain file ------------------------------------------------------------------------------


def test_the_plain_file_is_the_same_every_time(tree: Tree) -> None:
    assert plain_sql(tree.load()) == plain_sql(tree.load())


async def test_psql_installs_the_plain_file_and_the_runner_finds_it_current(
    database: Database, postgres: EmbeddedPostgres, tree: Tree
) -> None:
    tree.write("functions/20_api/maintain_partitions", MAINTENANCE)
    tree.write("functions/20_api/it's odd", "-- an open statement\nselect ':HOST' as \"it's\"")
    done = database.psql(plain_sql(tree.load()))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("payledger is installed.\n")
    assert await differences(database, tree.load()) == []
    assert database.sql("select ledger.count_things()") == "1"

    by_psql = database.books()
    postgres.create_database("other")
    try:
        other = Database(postgres, "other")
        await migrate(other.dsn, tree.load())
        assert other.books() == by_psql
    finally:
        postgres.drop_database("other")


def test_the_plain_file_changes_nothing_the_second_time(database: Database, tree: Tree) -> None:
    assert database.psql(plain_sql(tree.load())).returncode == 0
    before = database.sql("select * from ledger_private.function_files")
    done = database.psql(plain_sql(tree.load()))
    assert (done.returncode, done.stderr) == (0, "")
    assert "installed here already" in done.stdout
    assert database.sql("select * from ledger_private.function_files") == before


def test_the_plain_file_does_not_upgrade(database: Database, tree: Tree) -> None:
    assert database.psql(plain_sql(tree.load())).returncode == 0
    before = database.books()
    tree.write("migrations/0002_more", "create table ledger.more (more int);")
    done = database.psql(plain_sql(tree.load()))
    assert done.returncode == 3
    assert "payledger migrate" in done.stderr
    assert database.books() == before


def test_an_error_in_the_plain_file_leaves_nothing(database: Database, tree: Tree) -> None:
    tree.write("functions/90_grants", "grant usage on schema ledger to nobody_at_all;")
    assert database.psql(plain_sql(tree.load())).returncode == 3
    assert database.sql("select to_regnamespace('ledger') is null") == "t"


def test_the_plain_file_leaves_a_session_as_it_was(database: Database, tree: Tree) -> None:
    script = plain_sql(tree.load())
    for _ in range(2):
        done = database.psql(script + "\nselect 'quiet=' || :'QUIET', current_schemas(false);\n")
        assert "quiet=off | {public}" in done.stdout or "installed here already" in done.stdout
        assert done.returncode == 0


# -- the real tree -------------------------------------------------------------------------------


async def test_the_shipped_tree_is_installed_by_the_runner(database: Database) -> None:
    report = await migrate(database.dsn)
    assert report.warnings == ()
    assert len(report.migrations_applied) == len(load().migrations)
    assert len(report.functions_applied) == len(load().functions)
    assert await differences(database) == []
    again = await migrate(database.dsn)
    assert not again.changed


async def test_the_shipped_tree_is_installed_by_psql_alone(database: Database) -> None:
    done = database.psql(plain_sql())
    assert (done.returncode, done.stderr) == (0, "")
    assert await differences(database) == []
    assert not (await migrate(database.dsn)).changed


async def test_both_ways_of_installing_leave_the_same_schema(
    database: Database, postgres: EmbeddedPostgres
) -> None:
    await migrate(database.dsn)
    postgres.create_database("other")
    try:
        other = Database(postgres, "other")
        assert other.psql(plain_sql()).returncode == 0
        assert other.dump() == database.dump()
    finally:
        postgres.drop_database("other")


async def test_the_shipped_functions_can_all_be_applied_again(database: Database) -> None:
    await migrate(database.dsn)
    database.sql("update ledger_private.function_files set checksum = 'old'")
    report = await migrate(database.dsn)
    assert report.warnings == ()
    assert len(report.functions_applied) == len(load().functions)
