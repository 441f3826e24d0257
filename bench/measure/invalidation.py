"""How long after a write by SQL everybody who reads over HTTP sees it."""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec

from bench.findings import Findings
from bench.harness import BenchFailed, percentile
from bench.measure.cached_read import in_words, reads_by_layer, shares
from bench.tools.answers import read_answer
from bench.tools.batches import uuid7
from bench.tools.lab import Lab
from bench.tools.service import Service

RATE = 1000
WORKERS = 2
ACCOUNT = "bench:1"
PAUSE_SECONDS = 0.01
LEAST_FROM_L1 = 0.5
"""Of the answers. Who trusts nothing that he keeps asks PostgreSQL, and sees everything at once."""
_MOST_CONNECTIONS = 64
_FOUND = 200


class Balance(msgspec.Struct):
    """What is looked at of an answer."""

    version: int


class Entry(msgspec.Struct):
    """One side of a payment."""

    account: str
    version: int


class Payment(msgspec.Struct):
    """What is looked at of a posted one."""

    entries: list[Entry]


def measure(lab: Lab) -> Findings:
    """Beside 1,000 payments a second that pgbench posts."""
    with (
        lab.service(workers=WORKERS) as service,
        lab.pgbench().beside("post_payment", RATE),
    ):
        rounds = [
            asyncio.run(_measure(lab.admin_dsn(), service, lab.scale.samples))
            for _ in range(lab.scale.rounds)
        ]
        layers = shares({}, reads_by_layer(service))
    if layers.get("l1", 0.0) < LEAST_FROM_L1:
        raise BenchFailed(f"nothing was there to be invalidated: {in_words(layers)}")
    return Findings(
        {"invalidation_p99_ms": statistics.median(percentile(waits, 99) for waits in rounds)},
        {
            "rounds": [
                {
                    "p50_ms": percentile(waits, 50),
                    "p90_ms": percentile(waits, 90),
                    "p99_ms": percentile(waits, 99),
                    "max_ms": max(waits),
                }
                for waits in rounds
            ],
            "samples": lab.scale.samples,
        },
    )


async def _measure(dsn: str, service: Service, samples: int) -> list[float]:
    """Of each write the wait of the slowest worker."""
    waits = []
    async with AsyncExitStack() as stack:
        readers = await _reader_of_each(service, stack)
        connection = await asyncpg.connect(dsn)
        stack.push_async_callback(connection.close)
        for _ in range(samples):
            for reader in readers:
                await reader.version()  # it is in this worker's L1 from here on
            version = await _pay(connection)
            written = time.perf_counter()
            seen = await asyncio.gather(*(_wait_for(reader, version) for reader in readers))
            waits.append((max(seen) - written) * 1000)
            await asyncio.sleep(PAUSE_SECONDS)
    return waits


async def _pay(connection: asyncpg.Connection[Any]) -> int:
    """Gives the version that the account has with it; its commit is durable on return."""
    body = await connection.fetchval(
        "select body::text from ledger.post_payment($1, $2, 'bench:2', 1, 'USD')", uuid7(), ACCOUNT
    )
    entries = msgspec.json.decode(body, type=Payment).entries
    return next(entry.version for entry in entries if entry.account == ACCOUNT)


async def _wait_for(reader: Reader, version: int) -> float:
    while await reader.version() < version:
        pass
    return time.perf_counter()


async def _reader_of_each(service: Service, stack: AsyncExitStack) -> list[Reader]:
    """A connection to each worker. The kernel deals them out, so some are opened in vain."""
    found: dict[int, Reader] = {}
    pids = service.worker_pids()
    for _ in range(_MOST_CONNECTIONS):
        reader = await Reader.open(service)
        stack.callback(reader.close)
        await reader.version()  # by now the connection has been accepted
        found.setdefault(_worker_of(reader.port, pids), reader)
        if len(found) == len(pids):
            return list(found.values())
    raise BenchFailed(f"{_MOST_CONNECTIONS} connections led to {len(found)} workers")


class Reader:
    """One connection that reads one balance, over and over: which worker answers matters here."""

    def __init__(
        self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> None:
        self._stream = stream
        self._writer = writer
        self._request = request
        self.port: int = writer.get_extra_info("sockname")[1]

    @classmethod
    async def open(cls, service: Service) -> Reader:
        """Connects; nothing is asked yet."""
        url = urlsplit(service.url)
        stream, writer = await asyncio.open_connection(url.hostname, url.port)
        path = service.path(f"accounts/{ACCOUNT}/balance")
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Authorization: Bearer {service.key}\r\n\r\n"
        )
        return cls(stream, writer, request.encode())

    async def version(self) -> int:
        """That of the balance which is served at the moment."""
        self._writer.write(self._request)
        status, body = await read_answer(self._stream)
        if status != _FOUND:
            raise BenchFailed(f"a balance was answered by {status}")
        return msgspec.json.decode(body, type=Balance).version

    def close(self) -> None:
        """No more of it."""
        self._writer.close()


def _worker_of(port: int, pids: list[int]) -> int:
    """The process that holds the other end of a connection of ours."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if int(columns[2].rpartition(":")[2], 16) == port:
            socket = f"socket:[{columns[9]}]"
            for pid in pids:
                if any(_leads_to(fd, socket) for fd in Path(f"/proc/{pid}/fd").iterdir()):
                    return pid
    raise BenchFailed(f"no worker has the connection from port {port}")


def _leads_to(fd: Path, socket: str) -> bool:
    try:
        return str(fd.readlink()) == socket
    except OSError:
        return False  # closed meanwhile
