"""A wire that understands PostgreSQL's protocol, and can lose exactly the answer to a commit.

Both directions are cut into messages: a type byte and a length, but for the first messages of a
client, which have no type. A statement is answered when the server says ReadyForQuery; only then
its transaction is committed, for in the extended protocol the commit happens at Sync, after
the rows. So to lose an acknowledgement *after* the commit, everything that the server says to
the statement is held back until ReadyForQuery has come, and then the connection ends instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import deque
from collections.abc import Callable

from loadgen.proxy.wire import Link, Wire

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
NOT_ENCRYPTED = b"N"
IDLE = b"I"


class PostgresWire(Wire):
    """A wire to a PostgreSQL server. Encryption is declined: what is encrypted cannot be read."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self.dropped = 0
        """Answers lost so far."""
        self._drops = 0
        self._matches: Callable[[str], bool] = lambda _: False
        self._any_dropped = asyncio.Event()

    def drop_answers(self, count: int, matches: Callable[[str], bool]) -> None:
        """Lose the next so many answers to statements whose text fits, and end the connections.

        The statement is carried out, to its commit if it is one by itself.
        """
        self._drops, self._matches = count, matches
        self._any_dropped.clear()

    def drop_commit_answers(self, count: int) -> None:
        """Lose the answers to the next so many COMMITs."""
        self.drop_answers(count, is_commit)

    async def an_answer_dropped(self) -> None:
        """Return when an answer was lost since the last time that this was asked for."""
        await self._any_dropped.wait()

    def takes(self, statement: str) -> bool:
        """Say whether the answer to a statement is to be lost, and count it."""
        if self._drops and self._matches(statement):
            self._drops -= 1
            return True
        return False

    def lost(self) -> None:
        """An answer was lost."""
        self.dropped += 1
        self._any_dropped.set()

    async def mend(self) -> None:
        """Lose nothing any more."""
        self._drops = 0
        await super().mend()

    def _link(
        self,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> Link:
        return PostgresLink(self, task, reader, writer)


def is_commit(statement: str) -> bool:
    """Say whether a statement ends a transaction well."""
    return statement.strip().rstrip(";").strip().upper() in ("COMMIT", "END")


class PostgresLink(Link):
    """One session: which statements are under way, and whose answer is being held back."""

    def __init__(
        self,
        wire: PostgresWire,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        super().__init__(wire, task, reader, writer)
        self._postgres = wire
        self._prepared: dict[str, str] = {}
        self._portals: dict[str, str] = {}
        self._executed: list[str] = []
        """Statements since the last Sync."""
        self._awaited: deque[bool] = deque()
        """For each ReadyForQuery to come, whether it is to be lost with all before it."""

    async def forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the client's messages, taking note of its statements."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await self._begin(reader, writer)
            while True:
                kind, body = await _message(reader)
                self._note(kind, body)
                await self.wire.passed()
                writer.write(_framed(kind, body))
                await writer.drain()

    async def backward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the server's messages, but for those that are to be lost."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                kind, body = await _message(reader)
                losing = bool(self._awaited) and self._awaited[0]
                if kind == b"Z":
                    # Until the client is let in there is one more than it has asked for.
                    if self._awaited:
                        self._awaited.popleft()
                    if losing:
                        self._postgres.lost()
                        return  # and the connection ends
                if losing:
                    continue
                await self.wire.passed()
                writer.write(_framed(kind, body))
                await writer.drain()

    async def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the startup message; what asks for encryption before it is told no."""
        while True:
            (length,) = struct.unpack("!i", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            (code,) = struct.unpack("!i", body[:4])
            await self.wire.passed()
            if code in (SSL_REQUEST, GSS_REQUEST):
                self.client[1].write(NOT_ENCRYPTED)
                await self.client[1].drain()
                continue
            writer.write(struct.pack("!i", length) + body)
            await writer.drain()
            if code != CANCEL_REQUEST:
                self._awaited.append(False)  # the ReadyForQuery that lets the client in
            return

    def _note(self, kind: bytes, body: bytes) -> None:
        match kind:
            case b"P":
                name, query, _ = body.split(b"\0", 2)
                self._prepared[name.decode()] = query.decode(errors="replace")
            case b"B":
                portal, name, _ = body.split(b"\0", 2)
                self._portals[portal.decode()] = self._prepared.get(name.decode(), "")
            case b"E":
                self._executed.append(self._portals.get(body.split(b"\0", 1)[0].decode(), ""))
            case b"S":
                self._awaited.append(any([*map(self._postgres.takes, self._executed)]))
                self._executed.clear()
            case b"Q":
                self._awaited.append(self._postgres.takes(body[:-1].decode(errors="replace")))
            case b"F":
                self._awaited.append(False)


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], await reader.readexactly(length - 4)


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body
