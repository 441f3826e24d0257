"""The wire: faithful, until it is told to be late, silent, cut or to reset."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from loadgen.proxy.wire import Wire

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
OPEN: list[asyncio.StreamWriter] = []
"""What the test has opened, to be closed after it."""


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def wired() -> AsyncIterator[Wire]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Wire("127.0.0.1", server.sockets[0].getsockname()[1]) as wire:
        try:
            yield wire
        finally:
            for writer in OPEN:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
            OPEN.clear()


async def connect(wire: Wire) -> Connection:
    connection = await asyncio.open_connection("127.0.0.1", wire.port)
    OPEN.append(connection[1])
    return connection


async def asks(connection: Connection, text: bytes) -> bytes:
    reader, writer = connection
    writer.write(text)
    await writer.drain()
    return await reader.readexactly(len(text))


async def test_it_carries_bytes_both_ways_and_the_end_too() -> None:
    async with wired() as wire:
        connection = await connect(wire)
        big = bytes(range(256)) * 4096
        assert await asks(connection, big) == big
        connection[1].write_eof()
        assert await connection[0].read() == b""


async def test_a_delay_makes_each_way_late() -> None:
    async with wired() as wire:
        connection = await connect(wire)
        await asks(connection, b"warm")
        wire.delay = 0.05
        loop = asyncio.get_running_loop()
        start = loop.time()
        assert await asks(connection, b"late") == b"late"
        assert loop.time() - start >= 0.1


async def test_a_black_hole_takes_connections_and_gives_nothing_until_it_is_mended() -> None:
    async with wired() as wire:
        old = await connect(wire)
        await asks(old, b"before")
        wire.silence()
        new = await connect(wire)
        waiting = [asyncio.create_task(asks(one, b"there?")) for one in (old, new)]
        done, _ = await asyncio.wait(waiting, timeout=0.05)
        assert not done
        await wire.mend()
        assert await asyncio.gather(*waiting) == [b"there?", b"there?"]


async def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_mended() -> None:
    async with wired() as wire:
        connection = await connect(wire)
        await asks(connection, b"before")
        await wire.cut()
        assert await connection[0].read() == b""
        assert wire.connections == 0
        with pytest.raises(ConnectionRefusedError):
            await connect(wire)
        await wire.mend()
        assert await asks(await connect(wire), b"again") == b"again"


async def test_a_reset_ends_connections_with_an_error_and_takes_new_ones() -> None:
    async with wired() as wire:
        connection = await connect(wire)
        await asks(connection, b"before")
        await wire.reset()
        with pytest.raises(ConnectionResetError):
            await connection[0].read()
        assert await asks(await connect(wire), b"again") == b"again"


async def test_nobody_behind_it_ends_the_connection_at_once() -> None:
    async with wired() as wire:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        wire.upstream = ("127.0.0.1", server.sockets[0].getsockname()[1])
        server.close()
        connection = await connect(wire)
        assert await connection[0].read() == b""


async def test_new_connections_go_where_it_is_told() -> None:
    async def other(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"other")
        writer.close()

    async with wired() as wire, await asyncio.start_server(other, "127.0.0.1", 0) as server:
        wire.upstream = ("127.0.0.1", server.sockets[0].getsockname()[1])
        connection = await connect(wire)
        assert await connection[0].read() == b"other"
