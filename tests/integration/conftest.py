"""For the HTTP tests: a database a module, a service and a ledger a test."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiohttp import ClientSession
from http_support import Api, serving_aside
from support.servers import run

from service.database import api_keys
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from support.servers import Server

_ledgers = itertools.count(1)


@pytest.fixture(scope="module")
def http_database(server: Server) -> Iterator[str]:
    """The name of the database that the tests of a module share."""
    name = server.new_database()
    yield name
    server.postgres.drop_database(name)


@pytest.fixture(scope="module")
def settings(server: Server, http_database: str) -> Settings:
    """Those of a service on the module's database."""
    return Settings(
        dsn=server.dsn("payledger_service", http_database), pool_size=8, deadline_seconds=5
    )


@pytest.fixture(scope="module")
def token(server: Server, http_database: str) -> str:
    """An API key with every scope, for every ledger."""

    async def create() -> str:
        connection = await asyncpg.connect(server.dsn("payledger_migrator", http_database))
        try:
            return await api_keys.create(connection, "tests", api_keys.SCOPES, None)
        finally:
            await connection.close()

    made: str = run(create())
    return made


@pytest.fixture(scope="module")
def url(settings: Settings) -> Iterator[str]:
    """A running service, which the tests of a module share."""
    with serving_aside(settings) as url:
        yield url


@pytest.fixture(scope="module")
def server_address(settings: Settings) -> tuple[str, int]:
    """Where the database's server is."""
    where = urlsplit(settings.dsn or "")
    return where.hostname or "", where.port or 0


@pytest.fixture
async def admin(server: Server, http_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that may do, and see, everything."""
    connection = await asyncpg.connect(server.dsn("postgres", http_database))
    yield connection
    connection.terminate()


@pytest.fixture
async def observer(server: Server, http_database: str) -> AsyncIterator[asyncpg.Connection]:
    """Another one, for looking on while `admin` is in a transaction."""
    connection = await asyncpg.connect(server.dsn("postgres", http_database))
    yield connection
    connection.terminate()


@pytest.fixture
async def api(url: str, token: str, admin: asyncpg.Connection) -> AsyncIterator[Api]:
    """A client with a ledger of its own."""
    ledger = f"test-{next(_ledgers)}"
    async with ClientSession() as session:
        api = Api(session, url, token, ledger, admin)
        answer = await api.request("POST", "/v1/ledgers", body={"name": ledger})
        assert answer.status == 201, answer.body
        yield api
