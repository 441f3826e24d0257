"""A TCP proxy that does to a connection what networks do."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from types import TracebackType
from typing import Self

CHUNK = 1 << 16


class Wire:
    """Listens on loopback and carries bytes to one address, faithfully unless told otherwise.

    `delay`: every chunk, either way, is so many seconds late. `silent`: a black hole; connections
    are taken, and nothing comes through, not even an end. `cut`: connections end, and no new ones
    are taken until it is mended. Heal everything with `mend`.
    """

    def __init__(self, host: str, port: int) -> None:
        self.upstream = (host, port)
        """Where new connections go; may be changed, after a failover."""
        self.delay = 0.0
        self.port = 0
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        await self.reset()
        if self._server is not None:
            await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._links)

    def silence(self) -> None:
        """Be a black hole from now on: bytes are taken in and go nowhere."""
        self._open.clear()

    async def cut(self) -> None:
        """End every connection in order, and refuse new ones."""
        await self._stop_listening()
        await self._end_all(reset=False)

    async def reset(self) -> None:
        """End every connection with a reset, as a host does that knows nothing of it."""
        await self._end_all(reset=True)

    async def mend(self) -> None:
        """Carry bytes faithfully again. What was held in a black hole comes out of it."""
        self.delay = 0.0
        self._open.set()
        if self._server is not None and not self._server.is_serving():
            self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)

    async def _stop_listening(self) -> None:
        if self._server is not None and self._server.is_serving():
            self._server.close()

    async def _end_all(self, *, reset: bool) -> None:
        links = list(self._links)
        for link in links:
            link.end(reset=reset)
        if links:
            await asyncio.wait([link.task for link in links])

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - start_server makes one for each connection
        link = self._link(task, reader, writer)
        self._links.add(link)
        try:
            await link.carry()
        finally:
            self._links.discard(link)

    def _link(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Link:
        """Make what carries one connection; protocols that are understood carry it otherwise."""
        return Link(self, task, reader, writer)

    async def passed(self) -> None:
        """Return when a chunk may go on: late, or when the black hole is mended."""
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._open.wait()


class Link:
    """One connection through a wire."""

    def __init__(
        self,
        wire: Wire,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.task = task
        self.wire = wire
        self.client = (reader, writer)
        self.server: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._over = asyncio.Event()
        self._ended = False

    async def carry(self) -> None:
        """Carry bytes both ways until one side ends, or we end it."""
        carrying = asyncio.create_task(self._both_ways())
        over = asyncio.create_task(self._over.wait())
        await asyncio.wait([carrying, over], return_when=asyncio.FIRST_COMPLETED)
        for task in (carrying, over):
            task.cancel()
        await asyncio.gather(carrying, over, return_exceptions=True)
        self.end(reset=False)

    async def _both_ways(self) -> None:
        await self.wire.passed()
        try:
            self.server = await asyncio.open_connection(*self.wire.upstream)
        except OSError:
            return  # nobody is there: the client's connection ends
        pumps = [
            asyncio.create_task(self.forward(self.client[0], self.server[1])),
            asyncio.create_task(self.backward(self.server[0], self.client[1])),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what the client sends."""
        await self._pump(reader, writer)

    async def backward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry what the server answers."""
        await self._pump(reader, writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK):
                await self.wire.passed()
                writer.write(chunk)
                await writer.drain()

    def end(self, *, reset: bool) -> None:
        """End both sides; with a reset, what is under way is thrown away."""
        if self._ended:
            return
        self._ended = True
        self._over.set()
        for side in (self.client, self.server):
            if side is None:
                continue
            writer = side[1]
            if reset:
                _linger_not(writer)
                writer.transport.abort()
            else:
                writer.close()


def _linger_not(writer: asyncio.StreamWriter) -> None:
    """Closing then sends a reset instead of an end."""
    connection: socket.socket | None = writer.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
