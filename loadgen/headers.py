"""What answers say beside their bodies: tokens, "<version>-<epoch>", and who answered.

Tokens come as ETags and in Payledger-Tokens, and go out as min_version.
"""

from __future__ import annotations

from collections.abc import Mapping


def token_of(header: str, account: str) -> str:
    """Give the token of one account out of `code=version-epoch, ...`; "" when there is none."""
    for part in header.split(","):
        code, _, token = part.strip().partition("=")
        if code == account:
            return token
    return ""


def parts(token: str) -> tuple[int, str] | None:
    """Give version and epoch; None for what is no token (an ETag without an epoch is none)."""
    version, _, epoch = token.partition("-")
    return (int(version), epoch) if version.isdecimal() and epoch else None


def newer(one: str, other: str) -> str:
    """Give the token to ask for next: of one epoch the higher version, else the later epoch's."""
    mine, theirs = parts(one), parts(other)
    if theirs is None:
        return one
    if mine is None or mine[1] != theirs[1]:
        return other
    return max((mine, one), (theirs, other))[1]


def worker_of(headers: Mapping[str, str]) -> str:
    """Give the process that answered; "" when it does not say.

    No request here has an id of its own, so each gets one from the service: `PROCESS-NUMBER`.
    """
    process, _, number = headers.get("X-Request-Id", "").rpartition("-")
    return process if number.isdecimal() else ""
