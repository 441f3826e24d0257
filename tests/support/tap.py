"""Reads the Test Anything Protocol, strictly: what is not understood is a failure."""

from __future__ import annotations

import re

_PLAN = re.compile(r"1\.\.(\d+)(?: # skip (.+))?", re.IGNORECASE)
_RESULT = re.compile(r"(not )?ok (\d+)(?: - (.*))?")


def problems(output: str) -> list[str]:
    """Everything that keeps an output from being a pass, as a line each; empty: it passed.

    A test without a description, a todo and a skipped test are problems too: none is a proof.
    """
    found: list[str] = []
    planned: int | None = None
    ran = 0
    for line in output.splitlines():
        if plan := _PLAN.fullmatch(line):
            if planned is not None:
                found.append(f"a second plan: {line}")
            if plan[2]:
                found.append(f"everything skipped: {plan[2]}")
            planned = int(plan[1])
        elif result := _RESULT.fullmatch(line):
            ran += 1
            if planned is None:
                found.append(f"a test before the plan: {line}")
            if int(result[2]) != ran:
                found.append(f"test {ran} is numbered {result[2]}")
            if result[1]:
                found.append(line)
            if not result[3] or re.search(r"(?<!\\)# *(todo|skip)", line, re.IGNORECASE):
                found.append(f"proves nothing: {line}")
        elif line.startswith("#"):
            if found:  # what is said about a failure
                found.append(line)
        elif line.strip():
            found.append(f"no TAP: {line}")
    if planned is None:
        found.append("no plan")
    elif planned != ran:
        found.append(f"planned {planned} tests, ran {ran}")
    return found
