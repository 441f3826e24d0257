"""A time limit that does not take a busy process for a slow server."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from service.cache.patience import Patience


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_what_does_not_come_is_given_up() -> None:
    with pytest.raises(TimeoutError):
        async with Patience(now() + 0.001):
            await asyncio.Event().wait()


async def test_what_comes_in_time_is_had_and_nothing_is_left_behind() -> None:
    async with Patience(now() + 0.001):
        pass
    await asyncio.sleep(0.01)  # were a timer left, it would cancel this


async def test_what_had_come_before_a_busy_process_looked_is_taken() -> None:
    here, there = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=here)
    async with Patience(now() + 0.001):
        answer = asyncio.ensure_future(reader.read(1))
        await asyncio.sleep(0)
        there.send(b"x")
        time.sleep(0.005)  # noqa: ASYNC251 -- the process is busy, beyond the limit
        assert await answer == b"x"
    writer.close()
    there.close()


async def test_an_error_passes() -> None:
    with pytest.raises(LookupError):
        async with Patience(now() + 20):
            raise LookupError
