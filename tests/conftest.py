"""Fixtures of every test that needs a database."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from support import certificates, prepared, scratch
from support.databases import Database
from support.payments import Ledger, end_started, new_ledger
from support.servers import Server, each_server, started_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator


def pytest_configure(config: pytest.Config) -> None:
    scratch.use_memory()
    certificates.read_none()
    if not is_worker(config):
        prepared.open_home()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """What is collected stays: the garbage collector need not look at it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_worker(config):
        prepared.close_home()


def is_worker(config: pytest.Config) -> bool:
    """Whether another process begins and ends the run."""
    return hasattr(config, "workerinput")


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


# Each takes about half a minute or more. They go first, for the end of a run to find every worker
# with something short left to do; and they wait as much as they work, so that more than one can go
# on.
LONG_FILES = (
    "tests/acceptance/test_prove.py",
    "tests/integration/test_cli.py",
    "tests/faults/test_faults_bite.py",
    "tests/integration/test_http_trouble.py",
    "tests/integration/test_workers.py",
    "tests/concurrency/test_changes.py",
    "tests/acceptance/test_loadgen_demo.py",
    "tests/unit/test_loadgen_run.py",
    "tests/relay/test_telling.py",
    "tests/acceptance/test_loadgen_replay_for_real.py",
    "tests/integration/test_check_memory.py",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files in the order in which workers are to take them."""
    place = {file: number for number, file in enumerate(LONG_FILES)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))
