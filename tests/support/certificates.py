"""Programs of the tests read no list of certificate authorities: they speak with this machine.

aiohttp reads the system's whenever it is imported, and twice: 0.1 s of each program that a test
starts. What does download something is given the environment of `downloading`.
"""

from __future__ import annotations

import os

_LIST = "SSL_CERT_FILE"  # OpenSSL's
_KEPT = "PAYLEDGER_TEST_SSL_CERT_FILE"  # for the workers, which inherit it


def read_none() -> None:
    """For this process, from now on, and those it starts."""
    os.environ.setdefault(_KEPT, os.environ.get(_LIST, ""))
    os.environ[_LIST] = os.devnull


def downloading() -> dict[str, str]:
    """The environment as it was."""
    environment = {name: value for name, value in os.environ.items() if name not in (_LIST, _KEPT)}
    if kept := os.environ.get(_KEPT):
        environment[_LIST] = kept
    return environment
