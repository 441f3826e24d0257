"""How processes share the connections to one socket; here they are two sites in one loop."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from support.waiting import until

from service.api import accepting
from service.api.accepting import SharingSite
from service.api.connections import Runner
from service.api.resources import METRICS, SHORTCUTS, Shortcuts
from service.metrics.instruments import Metrics
from service.metrics.memory import Memory, Region

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
AGES = 3_600.0
MANY = 3 * accepting._MORE  # more than others by far


class Process:
    """One of those that accept on a socket."""

    site: SharingSite

    def __init__(self, listener: socket.socket, region: Region) -> None:
        self._listener = listener
        app = web.Application()
        app[METRICS] = Metrics(region)
        app[SHORTCUTS] = Shortcuts(lambda _: ANSWER, lambda _request, _body: None)
        self._region = region
        self.runner = Runner(app, shutdown_timeout=1.0)

    async def start(self) -> None:
        await self.runner.setup()
        inherited = self._listener.dup()
        self.site = SharingSite(self.runner, inherited)
        await self.site.start()

    @property
    def told(self) -> int:
        """How many connections others take it to have."""
        return self._region.memory.connections(self._region.index)

    @property
    def connections(self) -> int:
        server = self.runner.server
        assert isinstance(server, web.Server)
        return len(server.connections)


async def fill(process: Process, clients: Clients, count: int) -> None:
    """It has so many connections."""
    await process.start()
    clients.connect(count)
    await until(lambda: process.connections == count, "all are accepted")


class Clients:
    """They connect when they are told to, before anybody accepts."""

    def __init__(self, listener: socket.socket) -> None:
        self._address = listener.getsockname()
        self._open: list[socket.socket] = []

    def connect(self, count: int) -> None:
        self._open += [socket.create_connection(self._address) for _ in range(count)]

    def close(self) -> None:
        for client in self._open:
            client.close()
        self._open.clear()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield listener


@pytest.fixture
def clients(listener: socket.socket) -> Iterator[Clients]:
    clients = Clients(listener)
    yield clients
    clients.close()


@pytest.fixture
async def processes(listener: socket.socket) -> AsyncIterator[tuple[Process, Process]]:
    memory = Memory.make(2)
    one, other = (Process(listener, Region(memory, number)) for number in range(2))
    yield one, other
    for process in (one, other):
        await process.runner.cleanup()
    os.close(memory.fd)


async def test_a_burst_is_shared(
    processes: tuple[Process, Process], clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    clients.connect(101)
    for process in processes:
        await process.start()
    await until(lambda: sum(one.connections for one in processes) == 101, "all are accepted")
    assert min(one.connections for one in processes) >= 50 - accepting._MORE
    assert caplog.records == [], "who comes too late for one has nothing to say"


async def test_who_has_more_leaves_the_next_to_another(
    processes: tuple[Process, Process], clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = processes
    await fill(one, clients, MANY)
    await other.start()
    monkeypatch.setattr(accepting, "_LEAVE_SECONDS", AGES)
    clients.connect(5)
    await until(lambda: other.connections == 5, "the other has them")
    assert one.connections == MANY
    await one.site.stop()
    assert one.site._resting is not None
    assert one.site._resting.cancelled()


async def test_the_next_is_left_again(
    processes: tuple[Process, Process], clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = 0
    accept_left = SharingSite._accept_left

    def looking(site: SharingSite) -> None:
        nonlocal looked
        looked += 1
        accept_left(site)

    monkeypatch.setattr(SharingSite, "_accept_left", looking)
    one, other = processes
    await fill(one, clients, MANY)
    await until(lambda: one.site._resting is None or one.site._resting.when() < _now(), "it looks")
    looked = 0
    await other.start()
    for number in range(1, 4):
        clients.connect(1)
        await until(lambda: other.connections == number, "the other has it")  # noqa: B023
        await until(lambda: looked == number, "what is left was looked for")  # noqa: B023
    assert one.connections == MANY


async def test_who_accepts_none_keeps_nobody_waiting(
    processes: tuple[Process, Process], clients: Clients
) -> None:
    one, _ = processes
    await fill(one, clients, MANY)


async def test_connections_that_ended_do_not_count(
    processes: tuple[Process, Process], clients: Clients
) -> None:
    one, _ = processes
    await one.start()
    clients.connect(3)
    await until(lambda: one.told == 3, "they are told")
    clients.close()
    await until(lambda: one.told == 0, "that they ended is told")


async def test_a_process_by_itself_has_no_more_than_others(
    listener: socket.socket, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = Memory.make(1)
    monkeypatch.setattr(accepting, "_LEAVE_SECONDS", AGES)
    alone = Process(listener, Region(memory, 0))
    await fill(alone, clients, MANY)
    await alone.runner.cleanup()
    os.close(memory.fd)


async def test_without_descriptors_it_rests_and_tries_again(
    processes: tuple[Process, Process],
    clients: Clients,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(accepting, "_REST_SECONDS", AGES)
    one, _ = processes
    await one.start()
    clients.connect(1)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (_lowest_free(), hard))
    try:
        with caplog.at_level(logging.ERROR, accepting.logger.name):
            await until(lambda: caplog.records, "it is told")
            for _ in range(20):
                await asyncio.sleep(0)  # turns in which it rests
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [(record.message, record.__dict__["cause"]) for record in caplog.records] == [
        ("cannot accept connections", "EMFILE")
    ]
    resting = one.site._resting
    assert resting is not None
    assert resting.when() - asyncio.get_running_loop().time() > AGES / 2
    one.site._look()  # as when it has rested
    await until(lambda: one.connections == 1, "it is accepted")


async def test_what_is_accepted_when_it_stops_is_known(
    processes: tuple[Process, Process], clients: Clients
) -> None:
    one, _ = processes
    await one.start()
    clients.connect(1)
    one.site._accept()
    await one.site.stop()
    assert one.connections == 1


async def test_a_connection_that_cannot_begin_is_closed(
    processes: tuple[Process, Process],
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError

    one, _ = processes
    await one.start()
    monkeypatch.setattr(asyncio.get_running_loop(), "connect_accepted_socket", refuse)
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    assert await reader.read() == b""
    assert [record.message for record in caplog.records] == ["a connection could not begin"]
    writer.close()


async def test_what_was_accepted_is_answered_and_nobody_else(
    processes: tuple[Process, Process], listener: socket.socket
) -> None:
    one, _ = processes
    await one.start()
    address = listener.getsockname()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    listener.close()
    await one.site.stop()
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)
    writer.close()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _lowest_free() -> int:
    """The descriptor that the next file would have: with this limit there is no room for it."""
    descriptor = os.dup(0)
    os.close(descriptor)
    return descriptor
