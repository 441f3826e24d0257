"""One way to break the code, and who is expected to notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class StaleError(Exception):
    """The code has changed: what a mutant wants to replace is not there as often as it says."""


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """`old` becomes `new` in `file`, in all the `times` places where it must be, and nowhere else.

    `tests`: the most specific first. Of pytest's node ids those before the parameters of servers,
    as `FILE::test[case]`; and pgTAP files by their path.

    `equivalent`: why nobody could notice. Such a mutant is not tried, but it must apply, so that
    the reason is about the code as it is.
    """

    name: str
    file: str
    old: str
    new: str
    breach: str
    tests: tuple[str, ...] = ()
    times: int = 1
    equivalent: str = ""

    def applied_to(self, text: str) -> str:
        """Raises StaleError."""
        found = text.count(self.old)
        if found != self.times:
            raise StaleError(f"{self.name}: {self.file} has its text {found} times")
        return text.replace(self.old, self.new)

    def check(self, root: Path) -> None:
        """Raises StaleError if it does not apply to the tree below `root`."""
        self.applied_to((root / self.file).read_text(encoding="utf-8"))
