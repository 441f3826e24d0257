"""docs/mutants.md: every mutant, what it breaks, and the test that noticed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mutants.tree import REPO
from mutants.trial import TAP_FOLDER, TAP_RUNNER, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mutants.mutant import Mutant
    from mutants.trial import Verdict

PAGE = REPO / "docs" / "mutants.md"

_HEAD = """\
# Mutants

`make mutants` wrote this page: each row is the code, broken in one place, and the test that
noticed first. [proof.md](proof.md#who-checks-the-tests) tells how it is done. The texts that are
replaced are in `tests/mutants/catalogue/`.

## Killed

| mutant | in | what it breaks | killed by |
| --- | --- | --- | --- |
"""
_EQUIVALENT = """
## Equivalent

Nobody can notice these, and this is why. They are not tried.

| mutant | in | why |
| --- | --- | --- |
"""
_SERVER = re.compile(r"\b(?:wheel\d+|system\d+|environment\d+|container)-?")
_CELL = re.compile(r"(?<!\\)\|")


class Row(NamedTuple):
    """A line of the first table."""

    name: str
    file: str
    breach: str
    killed_by: str


def render(mutants: Sequence[Mutant], verdicts: Mapping[str, Verdict]) -> str:
    """The whole page; every mutant that is not equivalent has to be killed."""
    tried = [mutant for mutant in mutants if not mutant.equivalent]
    assert all(verdicts[mutant.name].outcome is Outcome.KILLED for mutant in tried)
    killed = [
        _line(mutant.name, f"`{mutant.file}`", mutant.breach, f"`{_killer(verdicts[mutant.name])}`")
        for mutant in tried
    ]
    equivalent = [
        _line(mutant.name, f"`{mutant.file}`", mutant.equivalent)
        for mutant in mutants
        if mutant.equivalent
    ]
    return _HEAD + "".join(killed) + (_EQUIVALENT + "".join(equivalent) if equivalent else "")


def read(text: str) -> tuple[list[Row], list[tuple[str, str, str]]]:
    """The rows of the two tables, as they are on the page."""
    killed, equivalent = [], []
    for line in text.splitlines():
        cells = [
            cell.strip().replace("\\|", "|").strip("`") for cell in _CELL.split(line.strip("|"))
        ]
        if line.startswith("| ") and not line.startswith(("| mutant", "| ---")):
            if len(cells) == len(Row._fields):
                killed.append(Row(*cells))
            else:
                name, file, why = cells
                equivalent.append((name, file, why))
    return killed, equivalent


def _killer(verdict: Verdict) -> str:
    """A test as mutants name it: a pgTAP file by its path, and whatever the server."""
    test = _SERVER.sub("", verdict.by).replace("[]", "")
    if test.startswith(f"{TAP_RUNNER}["):
        return TAP_FOLDER + test.removeprefix(f"{TAP_RUNNER}[").removesuffix("]")
    return test


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"
