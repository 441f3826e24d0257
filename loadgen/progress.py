"""Shows how far things are: a live table on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

LIVE_SECONDS, LINE_SECONDS = 0.5, 5.0

Describe = Callable[[], Mapping[str, str]]


class Progress:
    """While open, calls `describe` now and then and shows what it says."""

    def __init__(self, console: Console, title: str, describe: Describe) -> None:
        self._console = console
        self._title = title
        self._describe = describe
        self._started = time.perf_counter()
        self._live: Live | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._started = time.perf_counter()
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._task = asyncio.create_task(self._show())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._live is not None:
            self._live.stop()

    async def _show(self) -> None:
        while True:
            await asyncio.sleep(LIVE_SECONDS if self._live else LINE_SECONDS)
            seconds = time.perf_counter() - self._started
            facts = self._describe()
            if self._live is None:
                text = "  ".join(f"{name} {value}" for name, value in facts.items())
                self._console.print(f"{self._title} {seconds:4.0f} s  {text}", soft_wrap=True)
            else:
                self._live.update(_table(f"{self._title}, {seconds:.0f} s", facts), refresh=True)


def _table(title: str, facts: Mapping[str, str]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False, box=None)
    for name, value in facts.items():
        table.add_row(name, value)
    return table


class Steps:
    """Counts towards a number that is known."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._done = 0

    def one(self) -> None:
        """Count one."""
        self._done += 1

    def describe(self) -> Mapping[str, str]:
        """Say how far it is."""
        return {self._name: f"{self._done:,} of {self._total:,}"}
