"""The embedded server: what a new cluster is like, its logins, its databases, restarts."""

import asyncio
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from embedded_support import Clusters, each_server, gone

from service.embedded import EmbeddedError, EmbeddedPostgres, PostgresBinaries


@pytest.fixture(scope="module")
def module_clusters() -> Iterator[Clusters]:
    clusters = Clusters(Path(tempfile.mkdtemp(prefix="payledger test ")))
    clusters.root.chmod(0o711)  # the server's user isn't root
    yield clusters
    clusters.end()


@pytest.fixture(scope="module", params=each_server())
def postgres(request: pytest.FixtureRequest, module_clusters: Clusters) -> EmbeddedPostgres:
    """A running cluster of each server that is installed, in a path with spaces."""
    server: PostgresBinaries = request.param
    settings = {"fsync": "off", "work_mem": "5MB"}
    made = module_clusters.new(server, f"state of {server.major}", settings=settings)
    made.start()
    return made


def show(postgres: EmbeddedPostgres, setting: str) -> str:
    return postgres.run_sql(f"show {setting}")


async def query(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def test_it_runs_the_server_asked_for(postgres: EmbeddedPostgres) -> None:
    assert int(show(postgres, "server_version_num")) // 10000 == postgres.binaries.major


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("listen_addresses", "127.0.0.1"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("wal_level", "replica"),
        ("max_connections", "200"),
        ("password_encryption", "scram-sha-256"),
        ("timezone", "UTC"),
    ],
)
def test_a_new_cluster_is_set_up_for_a_ledger(
    postgres: EmbeddedPostgres, setting: str, value: str
) -> None:
    assert show(postgres, setting).lower() == value.lower()


def test_settings_given_beat_the_defaults(postgres: EmbeddedPostgres) -> None:
    assert show(postgres, "fsync") == "off"
    assert show(postgres, "work_mem") == "5MB"


def test_texts_sort_by_code_point_and_know_upper_case(postgres: EmbeddedPostgres) -> None:
    assert postgres.run_sql("select 'Z' < 'a', upper('é')") == "t|É"
    if postgres.binaries.major >= 17:
        sql = "select datlocprovider, datlocale from pg_database where datname = 'payledger'"
        assert postgres.run_sql(sql) == "b|C.UTF-8"


def test_nobody_gets_in_without_a_password(postgres: EmbeddedPostgres) -> None:
    methods = "select distinct auth_method from pg_hba_file_rules"
    assert postgres.run_sql(methods) == "scram-sha-256"
    wrong = postgres.dsn().replace(postgres.state.password("payledger_service"), "wrong")
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(query(wrong, "select 1"))


@pytest.mark.parametrize("user", ["payledger_service", "payledger_migrator", "postgres"])
def test_each_login_works_over_tcp(postgres: EmbeddedPostgres, user: str) -> None:
    assert asyncio.run(query(postgres.dsn(user), "select session_user::text")) == user


def test_the_dsn_works_from_another_process_too(postgres: EmbeddedPostgres) -> None:
    assert EmbeddedPostgres(postgres.state.path).dsn() == postgres.dsn()


def test_the_service_login_has_few_rights_and_little_time(postgres: EmbeddedPostgres) -> None:
    sql = (
        "select rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls"
        " from pg_roles where rolname = 'payledger_service'"
    )
    assert postgres.run_sql(sql) == "f|f|f|f|f"
    limits = {
        "statement_timeout": "30s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "10s",
    }
    if postgres.binaries.major >= 17:
        limits["transaction_timeout"] = "1min"
    for setting, value in limits.items():
        assert asyncio.run(query(postgres.dsn(), f"show {setting}")) == value


def test_the_migrator_owns_the_database_and_may_make_roles(postgres: EmbeddedPostgres) -> None:
    sql = (
        "select rolsuper, rolcreaterole, rolcreatedb, pg_get_userbyid(datdba)"
        " from pg_roles, pg_database where rolname = 'payledger_migrator'"
        " and datname = 'payledger'"
    )
    assert postgres.run_sql(sql) == "f|t|f|payledger_migrator"


def test_only_the_owner_can_read_the_passwords(postgres: EmbeddedPostgres) -> None:
    files = list((postgres.state.path / "passwords").iterdir())
    assert {file.name for file in files} == {"payledger_migrator", "payledger_service", "postgres"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(postgres.data_dir.stat().st_mode) == 0o700


def test_roles_are_granted_after_the_migrations_and_granting_twice_changes_nothing(
    postgres: EmbeddedPostgres,
) -> None:
    with pytest.raises(EmbeddedError, match="ledger_app"):
        postgres.grant_roles()
    roles = "create role ledger_app; create role ledger_relay; create role ledger_admin;"
    migrator = {"user": "payledger_migrator", "database": "payledger"}
    postgres.run_sql(roles, **migrator)
    postgres.grant_roles()
    sql = (
        "select string_agg(distinct pg_get_userbyid(member)::text || ' in '"
        " || pg_get_userbyid(roleid), ', ') from pg_auth_members"
        " where pg_get_userbyid(member) like 'payledger%'"
        " and pg_has_role(member, roleid, 'member')"
    )
    granted = postgres.run_sql(sql)
    assert "payledger_service in ledger_app" in granted
    assert "payledger_service in ledger_relay" in granted
    assert "payledger_migrator in ledger_admin" in granted
    postgres.grant_roles()
    assert postgres.run_sql(sql) == granted


def test_databases_are_made_from_a_template_and_dropped(postgres: EmbeddedPostgres) -> None:
    postgres.create_database("template ü")
    postgres.run_sql("create table t as select 42 as n", database="template ü")
    postgres.create_database("odd \"name's", template="template ü")
    assert postgres.run_sql("select n from t", database="odd \"name's") == "42"
    sql = "select pg_get_userbyid(datdba) from pg_database where datname = :'name'"
    assert postgres.run_sql(sql, variables={"name": "template ü"}) == "payledger_migrator"
    for name in ("odd \"name's", "template ü", "never there"):
        postgres.drop_database(name)
    sql = "select count(*) from pg_database where datname in ('template ü', :'name')"
    assert postgres.run_sql(sql, variables={"name": "odd \"name's"}) == "0"


def test_a_database_is_dropped_although_somebody_is_in_it(postgres: EmbeddedPostgres) -> None:
    async def drop_under_a_connection() -> None:
        connection = await asyncpg.connect(postgres.dsn("payledger_migrator", "busy"))
        await asyncio.to_thread(postgres.drop_database, "busy")
        with pytest.raises((asyncpg.AdminShutdownError, asyncpg.InterfaceError)):
            await connection.fetchval("select 1")

    postgres.create_database("busy")
    asyncio.run(drop_under_a_connection())


def test_bad_sql_is_an_error_that_says_why(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(EmbeddedError, match="division by zero"):
        postgres.run_sql("select 1/0; select 2")


def test_data_and_port_survive_a_restart(postgres: EmbeddedPostgres) -> None:
    postgres.run_sql("create table kept as select 7 as n", database="payledger")
    port, pid = postgres.port, postgres.pid
    postgres.stop()
    assert gone(pid)
    assert not postgres.runs
    postgres.stop()  # nothing more to do
    postgres.start()
    assert postgres.port == port
    assert postgres.run_sql("select n from kept", database="payledger") == "7"
    assert asyncio.run(query(postgres.dsn(), "select 1")) == 1
