"""Runs one server and stops it when our parent is gone. A script: standard library only.

    python -I -S watchdog.py PARENT_PID UID GID COMMAND...      (UID and GID -1: do not change)

The parent holds the other end of our stdin. A line `smart`, `fast` or `immediate` asks for that
shutdown; end of file (the parent died, even by SIGKILL) means `fast`. Should this process be
killed too, the kernel sends the server the signal for a fast shutdown. The server's process id
goes to stdout; our exit status is the server's.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable

MODES = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
    "kill": signal.SIGKILL,
}
# A fast shutdown may have to write a big checkpoint; an immediate one only leaves recovery to do.
PATIENCE = {"smart": float("inf"), "fast": 120.0, "immediate": 10.0, "kill": float("inf")}
LADDER = ["", "smart", "fast", "immediate", "kill"]
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Start the server, serve requests to stop it, return its exit status."""
    parent, uid, gid = (int(argument) for argument in arguments[:3])
    wakeup = _wake_on_signals()
    server = subprocess.Popen(
        arguments[3:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        umask=0o077,
        preexec_fn=_before_exec(uid, gid),
    )
    print(server.pid, flush=True)  # noqa: T201 - the protocol

    mode, deadline = "", float("inf")
    requests: int | None = sys.stdin.fileno()
    while server.poll() is None:
        asked = ""
        readable = _wait([wakeup] if requests is None else [wakeup, requests])
        if wakeup in readable and signal.SIGTERM in os.read(wakeup, 64):
            asked = "fast"
        if requests in readable and requests is not None:
            asked, open_still = _read_request(requests)
            requests = requests if open_still else None
        elif os.getppid() != parent and requests is not None:
            asked, requests = "fast", None  # a forked child of the parent keeps the pipe open
        if time.monotonic() > deadline:
            asked = LADDER[LADDER.index(mode) + 1]
        if LADDER.index(asked) > LADDER.index(mode):
            mode, deadline = asked, time.monotonic() + PATIENCE[asked]
            server.send_signal(MODES[mode])
    return server.returncode if server.returncode >= 0 else 128 - server.returncode


def _wake_on_signals() -> int:
    """A descriptor that becomes readable when a child ends or somebody asks us to stop."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # whatever the parent's thread had blocked
    return reader


def _wait(descriptors: list[int]) -> list[int]:
    poller = select.poll()
    for descriptor in descriptors:
        poller.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poller.poll(500)]


def _read_request(descriptor: int) -> tuple[str, bool]:
    """The last mode asked for, and whether the pipe is still open."""
    data = os.read(descriptor, 1024)
    if not data:
        return "fast", False
    known = [line for line in data.decode().split() if line in MODES]
    return (known[-1] if known else ""), True


def _before_exec(uid: int, gid: int) -> Callable[[], None]:
    """Become the server's user, then bind the server's life to this process's."""
    watchdog = os.getpid()
    libc = ctypes.CDLL(None)

    def prepare() -> None:
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        with contextlib.suppress(AttributeError):  # not on Linux: the pipe alone must do
            libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGINT))
        if os.getppid() != watchdog:
            os._exit(1)

    return prepare


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
