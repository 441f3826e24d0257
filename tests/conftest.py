"""Fixtures of every test that needs a database."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from support import scratch
from support.databases import Database
from support.payments import Ledger, end_started, new_ledger
from support.servers import Server, each_server, started_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


def pytest_configure() -> None:
    scratch.use_memory()


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[[Any], Server]]:
    """Starts a server when it is first asked for; it runs to the end, as modules take turns."""
    running: dict[Any, Server] = {}
    with ExitStack() as stack:

        def get(parameter: Any) -> Server:
            if parameter not in running:
                running[parameter] = stack.enter_context(started_server(parameter))
            return running[parameter]

        yield get


@pytest.fixture(scope="session", params=each_server())
def server(request: pytest.FixtureRequest, servers: Callable[[Any], Server]) -> Server:
    """Every server the tests are to run on, with a migrated template database."""
    return servers(request.param)


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    """A fresh, migrated database of the test's own; for tests that change more than a ledger."""
    database = Database(server, server.new_database())
    yield database
    await end_started()
    await database.close()
    server.postgres.drop_database(database.name)


@pytest.fixture(scope="session")
def shared_database(server: Server) -> str:
    """For tests that keep to a ledger of their own."""
    return server.shared_database


@pytest.fixture
async def ledger(server: Server, shared_database: str) -> AsyncIterator[Ledger]:
    """A new ledger; at the end of the test its books must be sound."""
    database = Database(server, shared_database)
    ledger = await new_ledger(database)
    yield ledger
    await end_started()
    await database.close()
    assert await database.breaches(ledger.id) == []
