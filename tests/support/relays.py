"""Relays and listeners, and what they hear; waiting is for the thing itself."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.cache.counters import Counters
from service.cache.listener import Listener
from service.cache.model import Change
from service.cache.trust import Trust
from service.relay.relay import Relay
from support.messages import message
from support.waiting import PATIENCE_SECONDS, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from support.databases import Connection

_PACE_SECONDS = 0.002  # of looking; not of what is looked for


async def until_row(con: Connection, sql: str, *arguments: object) -> None:
    """Until the query says true."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not await con.fetchval(sql, *arguments):
        assert time.monotonic() < deadline, f"never: {sql}"
        await asyncio.sleep(_PACE_SECONDS)


@dataclass
class Ear:
    """A process as the relay sees it: a listener with its trust, and what it was told."""

    listener: Listener
    trust: Trust
    counters: Counters
    heard: list[tuple[int, Change]] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        return self.trust.is_live()

    async def until_live(self) -> None:
        await until(self.trust.is_live, "live")

    async def until_suspect(self) -> None:
        await until(lambda: not self.trust.is_live(), "suspect")

    async def until_heard(self, code: str, version: int) -> Change:
        """The first change of the account that has this version, or a later one."""

        def found() -> list[Change]:
            return [c for _, c in self.heard if c.code == code and c.version >= version]

        await until(found, f"{code} v{version}, heard {self.heard[-5:]}")
        return found()[0]


@asynccontextmanager
async def hearing(dsn: str) -> AsyncIterator[Ear]:
    """A listener, started."""
    counters = Counters()
    trust = Trust(counters)
    heard: list[tuple[int, Change]] = []

    def hear(ledger_id: int, changes: Iterable[Change]) -> None:
        heard.extend((ledger_id, change) for change in changes)

    listener = Listener(dsn, trust=trust, heard=hear)
    async with _running(listener.run()):
        yield Ear(listener, trust, counters, heard)


@asynccontextmanager
async def relaying(dsn: str) -> AsyncIterator[Relay]:
    """A relay, started, that leads or waits to; without an L2."""
    relay = Relay(dsn)
    async with _running(relay.run()):
        yield relay


async def until_leading(relay: Relay) -> None:
    await until(lambda: relay.is_leading, f"leading: {relay.problem}")


@asynccontextmanager
async def _running(run: object) -> AsyncIterator[None]:
    task = asyncio.ensure_future(run)  # type: ignore[arg-type, var-annotated]
    try:
        yield
        assert not task.done(), "it runs until it is cancelled"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@dataclass
class Forger:
    """Sends what it likes: knows the channel, and the secret, but is no relay."""

    con: Connection
    channel: str
    secret: bytes
    epoch: str

    @classmethod
    async def of(cls, superuser: Connection, con: Connection) -> Forger:
        """What the superuser knows, in the hands of `con`."""
        row = await superuser.fetchrow(
            "select channel, secret, ledger.cache_epoch() from ledger.notification_secret()"
        )
        assert row is not None
        return cls(con, *row)

    async def send(self, *payloads: str) -> None:
        for payload in payloads:
            await self.con.execute("select pg_notify($1, $2)", self.channel, payload)

    async def database_time(self) -> float:
        return float(
            await self.con.fetchval("select extract(epoch from clock_timestamp())::float8")
        )

    async def message(
        self,
        *changes: Change,
        term: int = 1,
        generation: str = "forged",
        age_seconds: float = 0.0,
        lsn: int | None = 1,
        secret: bytes | None = None,
        epoch: str | None = None,
    ) -> str:
        """One that is signed, with the right secret unless told otherwise."""
        return message(
            term,
            epoch or self.epoch,
            generation,
            await self.database_time() - age_seconds,
            [(1, change) for change in changes],
            secret or self.secret,
            lsn=lsn,
        )


class RelayProcess:
    """A relay in a process of its own, which can be stopped where it stands."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lines: list[str] = []

    @classmethod
    async def start(cls, dsn: str) -> RelayProcess:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _PROGRAM,
            env={**os.environ, "DSN": dsn},
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def until_says(self, *words: str) -> None:
        """Until its log has a line with one of these in it."""
        assert self._process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not any(word in line for line in self._lines for word in words):
                line = await self._process.stdout.readline()
                assert line, f"it ended: {self._lines}"
                self._lines.append(line.decode())

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.communicate()


_PROGRAM = """
import asyncio, logging, os, sys
from service.relay.relay import Relay
logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")
asyncio.run(Relay(os.environ["DSN"]).run())
"""


def versions(heard: Sequence[tuple[int, Change]], code: str) -> list[int]:
    """Of one account, in the order they were heard."""
    return [change.version for _, change in heard if change.code == code]
