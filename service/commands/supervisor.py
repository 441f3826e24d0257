"""Runs the processes that serve, on one socket: starts them, starts one that died again, ends all.

They accept on the socket themselves, and share (service.api.accepting). A socket that only the
parent opens cannot be joined by another service that is started on the same port.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from service.commands import worker_start
from service.database.connections import DatabaseError
from service.metrics.memory import Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from service.settings import Settings

logger = logging.getLogger(__name__)

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
TEND_SECONDS = 0.5
FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0  # one that lived that long was sound: its successor is started at once


class Supervisor:
    """N processes of the service, and what there is to say about them."""

    def __init__(
        self, settings: Settings, listener: socket.socket, environment: Mapping[str, str]
    ) -> None:
        """`environment` holds what the workers read their settings from."""
        self._listener = listener
        self._memory = Memory.make(settings.workers)
        self._environment = {**environment, "PYTHONPATH": worker_start.python_path()}
        self._patience_seconds = (
            settings.deadline_seconds
            + worker_start.SHUTDOWN_MARGIN_SECONDS
            + worker_start.HANGING_SECONDS
        )
        self._workers = [_Worker(number) for number in range(1, settings.workers + 1)]

    def run(
        self,
        on_ready: Callable[[], None],
        tend: Callable[[], None] = lambda: None,
        database_gone: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Serves until a signal: True, or until the database is gone for good: False. Twice a
        second `tend` is called, and `database_gone` asked.

        `on_ready` is called once, when all of them answer. Raises DatabaseError if one says that it
        cannot while none has served yet: what one of them could do, another can do a little later.
        """
        with _waking() as wakeup:
            try:
                for each in self._workers:
                    self._start(each)
                return self._watch(wakeup, on_ready, tend, database_gone)
            finally:
                self._listener.close()  # here and in the workers: new connections are refused
                self._end(database_gone=database_gone())
                self._memory.close()

    def _watch(
        self,
        wakeup: int,
        on_ready: Callable[[], None],
        tend: Callable[[], None],
        database_gone: Callable[[], bool],
    ) -> bool:
        told = False
        while True:
            if self._wait(wakeup, self._rest()):
                return True
            for each in self._workers:
                if each.process is not None and each.process.poll() is not None:
                    self._bury(each, begun=any(worker.ready for worker in self._workers))
                if each.process is None and time.monotonic() >= each.starts_at:
                    self._start(each)
            if not told and all(each.ready for each in self._workers):
                told = True
                on_ready()
            tend()
            if database_gone():
                return self._wait(wakeup, 0)  # asked to end at the same moment, it has done so

    def _rest(self) -> float:
        """Seconds until somebody has to be looked after or started, if nothing happens."""
        due = [each.starts_at for each in self._workers if each.process is None]
        return max(0, min([TEND_SECONDS, *(at - time.monotonic() for at in due)]))

    def _wait(self, wakeup: int, seconds: float) -> bool:
        """Until something happens, so long at most; True: it is to end."""
        poller = select.poll()
        poller.register(wakeup, select.POLLIN)
        channels = {each.fd: each for each in self._workers if each.fd >= 0}
        for fd in channels:
            poller.register(fd, select.POLLIN)
        for fd, _ in poller.poll(seconds * 1000):
            if fd == wakeup:
                if set(os.read(wakeup, 64)) & set(ENDING_SIGNALS):
                    return True
            else:
                channels[fd].hear()
        return False

    def _start(self, each: _Worker) -> None:
        ours, theirs = socket.socketpair()
        descriptors = (self._listener.fileno(), theirs.fileno(), self._memory.fd)
        with theirs:
            each.process = subprocess.Popen(  # noqa: S603 - ourselves
                [*worker_start.command(), *map(str, (each.number, *descriptors))],
                stdin=subprocess.DEVNULL,
                pass_fds=descriptors,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is for the parent, which ends them in order
            )
        each.begin(ours)

    def _bury(self, each: _Worker, *, begun: bool) -> None:
        """Takes note of an end that nobody asked for. `begun`: one of them has been serving."""
        assert each.process is not None  # noqa: S101 - for mypy
        while each.hear():
            pass
        status, pid = each.process.returncode, each.process.pid
        pause = each.end()
        if not begun:
            raise DatabaseError(each.said or f"worker {each.number} ended with status {status}")
        logger.error(
            "worker ended",
            extra={
                "worker": each.number,
                "pid": pid,
                "status": status,
                "reason": each.said or None,
                "starts_again_in_seconds": pause,
            },
        )

    def _end(self, *, database_gone: bool) -> None:
        """All of them, gracefully: what is in flight is finished, if it can be."""
        running = [each.process for each in self._workers if each.process is not None]
        if database_gone:
            for each in self._workers:
                each.tell(worker_start.DATABASE_GONE)
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._patience_seconds
        for process in running:
            try:
                process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                logger.error("worker hangs, and is killed", extra={"pid": process.pid})
                process.kill()
                process.wait()
        for each in self._workers:
            if each.process is not None:
                each.end()


class _Worker:
    """One place among the workers, and the process that has it, if any."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = False  # it, or one before it, has served
        self.said = ""  # why it cannot serve
        self.starts_at = 0.0  # again, on the monotonic clock
        self._channel: socket.socket | None = None
        self._began_at = 0.0
        self._backoff = FIRST_BACKOFF_SECONDS

    @property
    def fd(self) -> int:
        """To be polled."""
        return self._channel.fileno() if self._channel is not None else -1

    def begin(self, channel: socket.socket) -> None:
        """A process was started."""
        channel.setblocking(False)
        self._channel, self._began_at, self.said = channel, time.monotonic(), ""

    def hear(self) -> bool:
        """Takes what its process says; False: nothing more."""
        try:
            heard = self._channel.recv(65536) if self._channel is not None else b""
        except OSError:
            return False
        if heard.startswith(worker_start.READY):
            self.ready = True
        elif heard.startswith(worker_start.FAILED):
            self.said = heard.removeprefix(worker_start.FAILED).decode(errors="replace")
        elif not heard and self._channel is not None:
            self._channel.close()  # SIGCHLD tells the rest
            self._channel = None
        return bool(heard)

    def tell(self, what: bytes) -> None:
        """Says something to its process, if that is there and listens."""
        with suppress(OSError):
            if self._channel is not None:
                self._channel.sendall(what)

    def end(self) -> float:
        """Its process has ended; how many seconds the next one has to wait."""
        if self._channel is not None:
            self._channel.close()
        self._channel, self.process = None, None
        now = time.monotonic()
        if now - self._began_at >= SETTLED_SECONDS:
            self._backoff = FIRST_BACKOFF_SECONDS
        pause = self._backoff
        self.starts_at = now + pause
        self._backoff = min(2 * pause, LONGEST_BACKOFF_SECONDS)
        return pause


@contextmanager
def _waking() -> Iterator[int]:
    """A descriptor that can be read when a child ended or a signal came; its bytes say which."""
    reader, writer = os.pipe()
    for fd in (reader, writer):
        os.set_blocking(fd, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    # A shell has background jobs ignore SIGINT; the terminal's Ctrl-C is not meant for them.
    heard = [number for number in ENDING_SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in (*heard, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    try:
        yield reader
    finally:
        for number in heard:
            signal.signal(number, signal.SIG_IGN)  # we are ending; nothing may cut that short
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.set_wakeup_fd(before)
        for fd in (reader, writer):
            with suppress(OSError):
                os.close(fd)
