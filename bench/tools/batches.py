"""Batches of payments as a client of SQL makes them, and what it takes to post them."""

from __future__ import annotations

import json
import os
import random
import time
import uuid
from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg

from bench.harness import BenchFailed
from bench.tools.lab import ACCOUNTS

POST = "select outcome, code, replayed, payment_id::text, body::text from ledger.post_payments($1)"


class Batch(NamedTuple):
    """Keys and accounts by number, item by item."""

    keys: Sequence[str]
    sources: Sequence[int]
    targets: Sequence[int]

    def document(self) -> str:
        """What ledger.post_payments takes."""
        return json.dumps(
            [
                {
                    "idempotency_key": key,
                    "from": f"bench:{source}",
                    "to": f"bench:{target}",
                    "amount": "100",
                    "currency": "USD",
                }
                for key, source, target in zip(*self, strict=True)
            ]
        )


def uuid7() -> str:
    """A key as the documentation recommends it: those made together are neighbours in an index."""
    data = bytearray(os.urandom(16))
    data[0:6] = (time.time_ns() // 1_000_000).to_bytes(6, "big")
    data[6] = 0x70 | data[6] & 0x0F
    data[8] = 0x80 | data[8] & 0x3F
    return str(uuid.UUID(bytes=bytes(data)))


def make_batch(size: int, *, hot_percent: int = 0, accounts: int = ACCOUNTS) -> Batch:
    """Random pairs of accounts; so many percent of the payments go to account 0."""
    keys = sorted(uuid7() for _ in range(size))
    sources, targets = [], []
    for _ in range(size):
        if random.randrange(100) < hot_percent:
            source, target = random.randrange(1, accounts), 0
        else:
            source = random.randrange(accounts)
            target = (source + random.randrange(1, accounts)) % accounts
        sources.append(source)
        targets.append(target)
    return Batch(keys, sources, targets)


def check_posted(rows: Sequence[Any], size: int) -> None:
    """A refused payment costs less than a posted one; it must not count."""
    posted = sum(row["outcome"] == "posted" for row in rows)
    if posted != size:
        raise BenchFailed(f"{posted} of {size} payments were posted")


async def post_for(
    connection: asyncpg.Connection[Any], seconds: float, size: int, **kind: int
) -> float:
    """Payments a second through ledger.post_payments; making the batches is not timed."""
    statement = await connection.prepare(POST)
    posted, spent = 0, 0.0
    while spent < seconds:
        document = make_batch(size, **kind).document()
        begun = time.perf_counter()
        rows = await statement.fetch(document)
        spent += time.perf_counter() - begun
        check_posted(rows, size)
        posted += size
    return posted / spent
