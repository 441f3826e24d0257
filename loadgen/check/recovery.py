"""O7: after each fault the system serves again within the time that was stated for it."""

from __future__ import annotations

from loadgen.check.findings import Breach, Findings
from loadgen.journal.records import Mark


class Recovery:
    """Looks at marks and definite answers as they go by."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._started: dict[tuple[str, int], int] = {}
        self._healed: list[tuple[int, Mark]] = []

    def mark(self, place: int, mark: Mark) -> None:
        """Take note of what was done to the system."""
        if mark.event == "start":
            self._started[mark.fault, mark.number] = place
        elif mark.event == "heal":
            self._started.pop((mark.fault, mark.number), None)
            if mark.within > 0:
                self._healed.append((place, mark))

    def served(self, invoked: int, at: int) -> None:
        """Take note of a definite answer to what was asked at a place in the history."""
        for place, mark in [entry for entry in self._healed if entry[0] < invoked]:
            self._healed.remove((place, mark))
            if at > mark.at + mark.within * 1_000_000:
                self._late(place, mark, f"served again after {(at - mark.at) / 1e6:.1f} s")

    def end(self, place: int, at: int) -> None:
        """Nothing more will come."""
        for (fault, number), start in self._started.items():
            self._findings.add(
                Breach(
                    "O7",
                    "never_healed",
                    f"{fault} (number {number}) was not ended",
                    lines=(start, place),
                )
            )
        for healed, mark in self._healed:
            if at > mark.at + mark.within * 1_000_000:
                self._late(healed, mark, "no request that was sent afterwards was ever answered")

    def _late(self, place: int, mark: Mark, says: str) -> None:
        self._findings.add(
            Breach(
                "O7",
                "not_recovered",
                f"{mark.fault} (number {mark.number}), {mark.within:g} s allowed: {says}",
                lines=(place,),
            )
        )
