"""Single payments among another load, each timed by whether it was accepted.

wrk has the latencies of all answers in one histogram; to look at each answer by its `response` hook
costs it more than the answer.
"""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.harness import BenchFailed, percentile
from bench.tools.answers import read_answer
from bench.tools.batches import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.tools.service import Service

CONNECTIONS = 32
PAUSE_SECONDS = 0.05  # of each connection, after each answer
_ACCEPTED = 201
_REFUSED = frozenset({429, 503})


@dataclass
class Samples:
    """Milliseconds from sending a request to its whole answer."""

    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """For details.json; without the refused where there are none."""
        told = {"accepted": self.accepted, "refused": self.refused}
        return {
            f"{name}_p{percent}_ms": percentile(values, percent)
            for name, values in told.items()
            if values
            for percent in (50, 90, 99)
        } | {f"{name}_samples": len(values) for name, values in told.items()}


@contextmanager
def sampling(service: Service) -> Iterator[Samples]:
    """Posts payments, some 150 a second, from its beginning to its end."""
    samples = Samples()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()
    # The pool is left first: by then its thread is done with the loop.
    with closing(loop), ThreadPoolExecutor(1, "sampler") as pool:
        sampled = pool.submit(loop.run_until_complete, _sample(service, samples, ended))
        try:
            yield samples
        finally:
            loop.call_soon_threadsafe(ended.set)
        sampled.result()


async def _sample(service: Service, samples: Samples, ended: asyncio.Event) -> None:
    failures: list[Exception] = []
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(CONNECTIONS):
                group.create_task(_post_in_turn(service, number, samples, ended))
    except* (BenchFailed, OSError, EOFError) as group_of_failures:
        failures += group_of_failures.exceptions
    if failures:
        raise BenchFailed(f"sampling: {failures[0]}")


async def _post_in_turn(
    service: Service, number: int, samples: Samples, ended: asyncio.Event
) -> None:
    url = urlsplit(service.url)
    stream, writer = await asyncio.open_connection(url.hostname, url.port)
    body = (
        f'{{"from":"bench:{number}","to":"bench:{number + CONNECTIONS}",'
        '"amount":"1","currency":"USD"}'
    )
    head = (
        f"POST {service.path('payments')} HTTP/1.1\r\nHost: {url.netloc}\r\n"
        f"Authorization: Bearer {service.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nIdempotency-Key: "
    )
    try:
        while not ended.is_set():
            sent = time.perf_counter()
            writer.write(f"{head}{uuid7()}\r\n\r\n{body}".encode())
            status, _ = await read_answer(stream)
            milliseconds = 1000 * (time.perf_counter() - sent)
            if status == _ACCEPTED:
                samples.accepted.append(milliseconds)
            elif status in _REFUSED:
                samples.refused.append(milliseconds)
            else:
                raise BenchFailed(f"a payment was answered by {status}")
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        writer.close()
