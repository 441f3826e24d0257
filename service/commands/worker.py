"""One of the processes that serve: what service.commands.supervisor starts.

It inherits the listening socket, and a channel to its parent. The channel says `ready`, or `failed`
and why, and hears when the database is gone for good; its end says that the parent is gone, by
SIGKILL perhaps, and that is ours, too.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from service.app import create_app, give_up
from service.commands.worker_start import (
    DATABASE_GONE,
    FAILED,
    HANGING_SECONDS,
    READY,
    SHUTDOWN_MARGIN_SECONDS,
)
from service.database.connections import DatabaseError
from service.logs import set_up_logging
from service.metrics.memory import Memory, Region
from service.server import serve
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

# Objects more than before, until those are looked at: some 5 ms. A few hundred requests under way
# make more than the usual 700 again and again.
_GARBAGE_THRESHOLD = 5_000


def main() -> int:
    """Serves until SIGTERM, or until the parent is gone."""
    number, listener_fd, channel_fd, memory_fd = map(int, sys.argv[1:])
    settings = Settings.from_env(os.environ)
    set_up_logging(settings, worker=number)
    region = Region(Memory(memory_fd), number - 1)
    listener = socket.socket(fileno=listener_fd)
    channel = socket.socket(fileno=channel_fd)
    app = create_app(settings, region)
    shutdown_seconds = settings.deadline_seconds + SHUTDOWN_MARGIN_SECONDS

    def ready() -> None:
        _set_up_garbage_collection()
        with suppress(OSError):  # the parent is gone: see _outlive
            channel.sendall(READY)

    async def orphaned() -> None:
        loop, gone = asyncio.get_running_loop(), asyncio.Event()
        arguments = (
            channel,
            partial(loop.call_soon_threadsafe, give_up, app),
            partial(loop.call_soon_threadsafe, gone.set),
            shutdown_seconds,
        )
        threading.Thread(target=_outlive, args=arguments, daemon=True).start()
        await gone.wait()

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            runner.run(
                serve(
                    app,
                    listener,
                    shutdown_seconds=shutdown_seconds,
                    on_ready=ready,
                    lost=orphaned,
                )
            )
        except DatabaseError as exc:
            with suppress(OSError):
                channel.sendall(FAILED + str(exc).encode())
            return 1
    return 0


def _set_up_garbage_collection() -> None:
    """What is there by now stays, and need not be looked at again; and what a request makes is
    gone when it is answered, without the collector, which has only what went wrong to clear up.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD)
    gc.enable()  # worker_start has it disabled


def _outlive(
    channel: socket.socket,
    database_gone: Callable[[], object],
    parent_gone: Callable[[], object],
    seconds: float,
) -> None:
    """Waits for the parent's end; a loop that hangs must not keep the port for ever."""
    with suppress(RuntimeError):  # the loop is closed: we are ending anyway
        with suppress(OSError):
            while channel.recv(len(DATABASE_GONE)):
                database_gone()
        parent_gone()
    time.sleep(seconds + HANGING_SECONDS)
    os._exit(1)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
