"""Variables of ours by their prefix that nothing reads: most are mistyped settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PREFIX = "PAYLEDGER_"

# Read elsewhere: by service.embedded.binaries, and by docker/postgres/logins.sql.
_PROGRAM = "VALKEY_BIN"
_PASSWORDS = ("MIGRATOR_PASSWORD", "SERVICE_PASSWORD")

# Of tests, of snapshots, of mutants: programs that they start inherit them.
_FAMILIES = ("TEST_", "UPDATE_", "MUTANTS_")

# What Kubernetes sets in each container beside a service that is named payledger-something.
_SERVICE_LINK = re.compile(
    r"(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)=.*"
    r"|\w+_PORT=(tcp|udp|sctp)://.*"
)


def misnamed(env: Mapping[str, str], settings: Collection[str]) -> list[str]:
    """A line for each variable that is none of `settings`, which are without the prefix.

    Its value is not shown: it may be a password.
    """
    known = (*settings, _PROGRAM)
    return [
        f"{variable}: there is no such setting{_nearest(name, known)}"
        for variable, value in sorted(env.items())
        if value and variable.startswith(PREFIX)
        if not _is_known(name := variable.removeprefix(PREFIX), value, known)
    ]


def _is_known(name: str, value: str, known: Collection[str]) -> bool:
    if name in known or name in _PASSWORDS or name.startswith(_FAMILIES):
        return True
    return _SERVICE_LINK.fullmatch(f"{name}={value}") is not None


def _nearest(name: str, known: Collection[str]) -> str:
    from difflib import get_close_matches  # not whenever a command starts

    close = get_close_matches(name, known, n=1)
    return f"; the nearest one is {PREFIX}{close[0]}" if close else ""
