"""Fixtures of every test that needs a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.databases import Database
from support.servers import Server, each_server, start_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture(scope="session", params=each_server())
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Every server the tests are to run on, with a migrated template database."""
    yield from start_server(request.param)


@pytest.fixture
async def database(server: Server) -> AsyncIterator[Database]:
    """A fresh, migrated database of the test's own."""
    database = Database(server, server.new_database())
    yield database
    await database.close()
    server.postgres.drop_database(database.name)
