"""Verdicts kept from run to run, a JSON line each: a run goes on where the last one stopped."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from mutants.trial import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mutants.mutant import Mutant


class Records:
    """Of one state of the tree: `digest`. What was found in another one is not believed."""

    def __init__(self, path: Path, digest: str) -> None:
        self._path = path
        self._digest = digest
        self._verdicts: dict[str, Verdict] = {}
        self._sound: set[str] = set()
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                self._read(line)

    def verdict(self, mutant: Mutant) -> Verdict | None:
        """What became of it; None: it has not been tried."""
        return self._verdicts.get(self._key(mutant))

    def add(self, mutant: Mutant, verdict: Verdict) -> None:
        """Keep a verdict. Where the last word is not spoken it is not, and it is tried again."""
        self._verdicts[self._key(mutant)] = verdict
        if verdict.outcome in (Outcome.KILLED, Outcome.SURVIVED):
            self._append(
                {
                    "mutant": mutant.name,
                    "key": self._key(mutant),
                    "outcome": verdict.outcome.value,
                    "by": verdict.by,
                    "seconds": round(verdict.seconds, 1),
                }
            )

    def unsound(self, tests: Iterable[str]) -> list[str]:
        """Those that have not been seen to pass without a mutant."""
        return sorted(set(tests) - self._sound)

    def add_sound(self, tests: Iterable[str]) -> None:
        """They pass without a mutant."""
        self._sound |= set(tests)
        self._append({"control": sorted(tests), "key": self._digest})

    def _key(self, mutant: Mutant) -> str:
        text = json.dumps([self._digest, asdict(mutant)])
        return hashlib.sha256(text.encode()).hexdigest()

    def _append(self, record: dict[str, object]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def _read(self, line: str) -> None:
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            return  # cut off when its run was killed
        if "control" in record:
            if record["key"] == self._digest:
                self._sound |= set(record["control"])
            return
        outcome = Outcome(record["outcome"])
        self._verdicts[record["key"]] = Verdict(outcome, record["by"], record["seconds"])
