"""Waiting for what another session does: never for a time, always for the thing itself."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.databases import Connection

PATIENCE_SECONDS = 20.0  # before a test gives up; nothing waits that long when all is well


async def wait_until_blocked(
    observer: Connection, waiting: Connection, by: Connection | None = None
) -> None:
    """Until `waiting` really waits for a lock (that `by` holds); fails when it never does.

    `observer` is a third connection: the two are busy.
    """
    pid = waiting.get_server_pid()
    holder = by.get_server_pid() if by else None
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        blockers = await observer.fetchval("select pg_blocking_pids($1)", pid)
        waits = await observer.fetchval(
            "select count(*) = 1 from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'",
            pid,
        )
        if waits and (holder in blockers if holder else blockers):
            return
        assert time.monotonic() < deadline, f"{pid} never waited for {holder}: {blockers}"
        await asyncio.sleep(0.002)  # the poll's pace, not the test's


async def wait_until_true(observer: Connection, query: str, *arguments: object) -> None:
    """Until the query's value is true; fails when it never is."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await observer.fetchval(query, *arguments) is not True:
        assert time.monotonic() < deadline, f"never true: {query} {arguments}"
        await asyncio.sleep(0.002)  # the poll's pace, not the test's


async def until(holds: Callable[[], object], what: str) -> None:
    """Until it holds; fails when it never does."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        await asyncio.sleep(0.002)  # the poll's pace, not the test's
