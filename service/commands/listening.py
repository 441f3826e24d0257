"""Opens the service's socket before anything else is begun."""

from __future__ import annotations

import errno
import socket


class ListenError(Exception):
    """The address cannot be listened on; the message names the variable to change."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket on `host` and `port` (0: any free one).

    Opened first of all, and never shared with another process: two services on one port would
    split the traffic between two databases.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as exc:
        raise ListenError(f"PAYLEDGER_HOST={host}: {exc.strerror}") from exc
    try:
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as exc:
        if exc.errno == errno.EADDRINUSE:
            reason = "another program listens there; stop it, or choose another port"
        elif exc.errno == errno.EADDRNOTAVAIL:
            raise ListenError(f"PAYLEDGER_HOST={host}: not an address of this machine") from exc
        else:
            reason = f"cannot listen on {host}: {exc.strerror}"
        raise ListenError(f"PAYLEDGER_PORT={port}: {reason}") from exc


def url_of(listener: socket.socket) -> str:
    """The URL a program on this machine reaches it under."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
