"""HTTP answers, read by hand: a client has a pool, and takes more of the machine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.harness import BenchFailed

if TYPE_CHECKING:
    import asyncio

_LENGTH = re.compile(r"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)


async def read_answer(stream: asyncio.StreamReader) -> tuple[int, bytes]:
    """The next answer's status and body. BenchFailed: it does not say how long that is."""
    head = (await stream.readuntil(b"\r\n\r\n")).decode()
    length = _LENGTH.search(head)
    if length is None:
        raise BenchFailed(f"an answer has no length: {head.splitlines()[0]}")
    body = await stream.readexactly(int(length[1]))
    return int(head.split(" ", 2)[1]), body
