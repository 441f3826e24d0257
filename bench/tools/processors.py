"""What part of the processors' time was not ours to use.

A virtual machine's host may run others on them. Whatever waits for a processor then waits longer,
and nothing else here shows why.
"""

from __future__ import annotations

from pathlib import Path

_STAT = Path("/proc/stat")
_STOLEN = 7  # its column, after user, nice, system, idle, iowait, irq and softirq
_OWN = 8  # what follows is counted in user and nice, too


class Stolen:
    """From when it was made on."""

    def __init__(self) -> None:
        self._before = _ticks()

    @property
    def percent(self) -> float:
        """Of all processors' time, idle or not. 0 where nobody counts it."""
        ticks = [now - before for now, before in zip(_ticks(), self._before, strict=True)]
        return 100 * ticks[_STOLEN] / (sum(ticks) or 1)


def _ticks() -> list[int]:
    if not _STAT.exists():  # not Linux
        return [0] * _OWN
    return [int(ticks) for ticks in _STAT.read_text().split("\n", 1)[0].split()[1 : _OWN + 1]]
