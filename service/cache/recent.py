"""What was told so lately that another layer may not have it yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.cache.model import AccountKey

# Accounts. While heartbeats fail to come, what is heard, of this process's own payments too, must
# not take all memory.
MOST = 10_000
ANY = 2**62
"""More than any version: no layer has it."""


class Recent:
    """Versions heard since the last heartbeat but one.

    A replica that has come as far as the last heartbeat may lack what was told beside it or since.
    L2 may, too: the relay writes it after it has told, and before it tells what comes next. What
    either then shows would be kept, and no later notice correct it.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._position = 0
        self._before = _Heard()
        self._since = _Heard()

    def hear(self, key: AccountKey, version: int, position: int) -> None:
        """`position` is the last heartbeat's."""
        if position != self._position:
            self._position = position
            self._before, self._since = self._since, _Heard()
        since = self._since
        if len(since.versions) >= self._most:
            since.versions.clear()
            since.all = True
        if version > since.versions.get(key, -1):
            since.versions[key] = version

    def least(self, key: AccountKey) -> int:
        """The version of the account that has been told of; ANY: perhaps, nobody knows which."""
        since, before = self._since, self._before
        if since.all or before.all:
            return ANY
        return max(since.versions.get(key, 0), before.versions.get(key, 0))


class _Heard:
    """Between two heartbeats. `all`: it was too much to keep, so it may be of any account."""

    __slots__ = ("all", "versions")

    def __init__(self) -> None:
        self.all = False
        self.versions: dict[AccountKey, int] = {}
