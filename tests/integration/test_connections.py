"""Pools, and which errors a retry can cure: with the errors that really occur."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from embedded_support import Clusters

from service.database.connections import (
    RETRYABLE_SQLSTATES,
    DatabaseError,
    create_pool,
    is_infrastructure,
)
from service.embedded import EmbeddedPostgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[EmbeddedPostgres]:
    clusters = Clusters(Path(tempfile.mkdtemp(prefix="payledger-connections-")))
    clusters.root.chmod(0o711)  # the server's user isn't root
    made = clusters.new()
    made.start()
    yield made
    clusters.end()


@pytest.fixture
async def pool(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Pool]:
    made = await create_pool(
        postgres.dsn(), size=2, application_name="payledger test", command_seconds=20
    )
    yield made
    made.terminate()


async def failure(*args: object, con: asyncpg.Connection, **options: object) -> Exception:
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)) as caught:
        await con.fetch(*args, **options)
    return caught.value


async def asleep(postgres: EmbeddedPostgres) -> int:
    """The process id of the backend that sleeps, as soon as it really does."""
    async with asyncio.timeout(20):
        while True:
            found = await asyncio.to_thread(
                postgres.run_sql, "select pid from pg_stat_activity where wait_event = 'PgSleep'"
            )
            if found:
                return int(found)


async def test_a_pool_opens_one_connection_and_names_itself(pool: asyncpg.Pool) -> None:
    assert (pool.get_size(), pool.get_max_size()) == (1, 2)
    assert await pool.fetchval("show application_name") == "payledger test"


async def test_json_arrives_as_text_byte_for_byte(pool: asyncpg.Pool) -> None:
    assert await pool.fetchval("""select '{"a":   1.0}'::json""") == '{"a":   1.0}'
    assert await pool.fetchval("""select '{"a":   1.0}'::jsonb""") == '{"a": 1.0}'


async def test_an_open_transaction_does_not_outlive_its_use(pool: asyncpg.Pool) -> None:
    reported: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, what: reported.append(what))
    async with pool.acquire() as con:
        await con.execute("begin; select pg_current_xact_id()")
    assert not await pool.fetchval("select pg_current_xact_id_if_assigned() is not null")
    assert len(reported) == 1


async def test_a_pool_without_a_server_fails_when_it_is_made() -> None:
    with pytest.raises(DatabaseError, match="cannot connect"):
        await create_pool(
            "postgresql://u@127.0.0.1:1/d", size=1, application_name="", command_seconds=1
        )


async def test_a_connection_that_breaks_in_a_call_can_be_cured(
    pool: asyncpg.Pool, postgres: EmbeddedPostgres
) -> None:
    async with pool.acquire() as con:
        call = asyncio.create_task(failure("select pg_sleep(60)", con=con))
        postgres.run_sql(f"select pg_terminate_backend({await asleep(postgres)})")
        assert is_infrastructure(await call, con)
        assert is_infrastructure(await failure("select 1", con=con), con)
    assert await pool.fetchval("select 1") == 1


async def test_a_misuse_of_the_driver_cannot_be_cured(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as con:
        call = asyncio.create_task(con.fetch("select pg_sleep(60)"))
        await asyncio.sleep(0)  # let it begin
        exc = await failure("select 1", con=con)
        assert type(exc) is asyncpg.InterfaceError
        assert not is_infrastructure(exc, con)
        call.cancel()
        await asyncio.wait([call])
        exc = await failure("select $1::int", "text", con=con)
        assert type(exc) is asyncpg.DataError
        assert not is_infrastructure(exc, con)


async def test_a_closed_pool_cannot_be_cured(pool: asyncpg.Pool) -> None:
    await pool.close()
    with pytest.raises(asyncpg.InterfaceError) as caught:
        await pool.fetch("select 1")
    assert not is_infrastructure(caught.value)


async def test_a_timeout_can_be_cured(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as con:
        exc = await failure("select pg_sleep(60)", con=con, timeout=0.01)
        assert type(exc) is TimeoutError
        assert is_infrastructure(exc, con)


async def test_an_error_of_our_own_is_no_lost_connection(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as con:
        raised = "do $$ begin raise exception 'fixed' using errcode = 'LG001'; end $$"
        exc = await failure(raised, con=con)
        assert type(exc) is asyncpg.UnknownPostgresError
        assert not is_infrastructure(exc, con)


@pytest.mark.parametrize("sqlstate", [*sorted(RETRYABLE_SQLSTATES), "08000", "08006", "08P01"])
async def test_these_sqlstates_can_be_cured(pool: asyncpg.Pool, sqlstate: str) -> None:
    async with pool.acquire() as con:
        raised = f"do $$ begin raise exception 'x' using errcode = '{sqlstate}'; end $$"
        assert is_infrastructure(await failure(raised, con=con), con)


@pytest.mark.parametrize(
    "sqlstate", ["23505", "42501", "53300", "57014", "25006", "XX000", "P0001"]
)
async def test_no_other_sqlstate_can_be_cured(pool: asyncpg.Pool, sqlstate: str) -> None:
    async with pool.acquire() as con:
        raised = f"do $$ begin raise exception 'x' using errcode = '{sqlstate}'; end $$"
        assert not is_infrastructure(await failure(raised, con=con), con)


async def test_a_server_that_is_not_there_can_be_cured(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(ConnectionRefusedError) as refused:
        await asyncpg.connect("postgresql://u@127.0.0.1:1/d")
    assert is_infrastructure(refused.value)
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched) as no_standby:
        await asyncpg.connect(postgres.dsn() + "?target_session_attrs=standby")
    assert is_infrastructure(no_standby.value)


async def test_a_wrong_password_cannot_be_cured(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError) as caught:
        await asyncpg.connect(postgres.dsn(), password="wrong")
    assert not is_infrastructure(caught.value)
