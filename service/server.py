"""Serves an application on a socket opened beforehand, until a signal, and ends gracefully."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from service.api.accepting import SharingSite
from service.api.connections import Runner

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable

    from aiohttp import web


async def serve(
    app: web.Application,
    listener: socket.socket,
    *,
    shutdown_seconds: float,
    on_ready: Callable[[], None],
    lost: Callable[[], Awaitable[None]] | None = None,
) -> bool:
    """Serves until SIGTERM or SIGINT, or until `lost` returns; finishes what is in flight.

    `on_ready` is called once, when the first request would be answered. False: `lost` ended it.
    The process is meant to end afterwards: it ignores these signals from then on.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # A shell has background jobs ignore SIGINT; the terminal's Ctrl-C is not meant for them.
    candidates = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    signals = [number for number in candidates if signal.getsignal(number) is not signal.SIG_IGN]
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    runner = Runner(app, shutdown_timeout=shutdown_seconds)
    try:
        await runner.setup()
        await SharingSite(runner, listener).start()
        on_ready()
        return await _first(stop.wait(), lost() if lost else None)
    finally:
        await runner.cleanup()
        for number in signals:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)  # we are ending; nothing may cut that short


async def _first(stopped: Awaitable[object], lost: Awaitable[object] | None) -> bool:
    """Waits for either; True when it was `stopped`."""
    tasks = [asyncio.ensure_future(wait) for wait in (stopped, lost) if wait is not None]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return tasks[0].done()
    finally:
        for task in tasks:
            task.cancel()
