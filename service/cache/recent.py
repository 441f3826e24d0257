"""What was told so lately that another layer may not have it yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.cache.model import AccountKey


class Recent:
    """Versions heard since the last heartbeat but one.

    A replica that has come as far as the last heartbeat may lack what was told beside it or since.
    L2 may, too: the relay writes it after it has told, and before it tells what comes next. What
    either then shows would be kept, and no later notice correct it.
    """

    def __init__(self) -> None:
        self._position = 0
        self._before: dict[AccountKey, int] = {}
        self._since: dict[AccountKey, int] = {}

    def hear(self, key: AccountKey, version: int, position: int) -> None:
        """`position` is the last heartbeat's."""
        if position != self._position:
            self._position = position
            self._before, self._since = self._since, {}
        if version > self._since.get(key, -1):
            self._since[key] = version

    def least(self, key: AccountKey) -> int:
        """The version of the account that has been told of."""
        return max(self._since.get(key, 0), self._before.get(key, 0))
