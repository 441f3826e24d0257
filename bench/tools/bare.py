"""The yardstick of reading: aiohttp and uvloop that answer a constant, and do nothing else.

python -m bench.tools.bare FD BODY
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import urllib.request
from types import TracebackType
from typing import Self

import uvloop
from aiohttp import web

PATH = "/balance"


class Bare:
    """So many processes on one socket, as the service has them, while it is entered."""

    def __init__(self, processes: int, body: bytes) -> None:
        self._count = processes
        self._body = body
        self._processes: list[subprocess.Popen[bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        host, port = self._listener.getsockname()
        self.url = f"http://{host}:{port}"

    def __enter__(self) -> Self:
        fd = self._listener.fileno()
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-m", "bench.tools.bare", str(fd), os.fsdecode(self._body)],
                pass_fds=[fd],
                stdin=subprocess.PIPE,
            )
            for _ in range(self._count)
        ]
        with urllib.request.urlopen(self.url + PATH, timeout=30):  # noqa: S310
            pass
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.terminate()
            process.wait()
        self._listener.close()


def main() -> None:
    """Serves until it is ended, or its standard input is, which is its parent's end."""
    listener, body = socket.socket(fileno=int(sys.argv[1])), os.fsencode(sys.argv[2])

    def outlive() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=outlive, daemon=True).start()

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def make_app() -> web.Application:
        app = web.Application()
        app.router.add_get(PATH, answer)
        return app

    web.run_app(
        make_app(), sock=listener, access_log=None, print=None, loop=uvloop.new_event_loop()
    )


if __name__ == "__main__":
    main()
