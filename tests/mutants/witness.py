"""A plugin of pytest, in the run that tries a mutant: one server, the cases that were asked for,
and a note of what failed first.

One server is enough to be noticed on; what differs between versions is for the whole suite.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

NOTE = "PAYLEDGER_MUTANTS_NOTE"  # the file for the note
CASES = "PAYLEDGER_MUTANTS_CASES"  # JSON: by test, those of its cases that are wanted; else all

_found: dict[str, Any] = {"passed": 0, "failed": None, "when": None}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other servers and the other cases."""
    wanted: dict[str, list[str]] = json.loads(os.environ[CASES])
    server: Any = None
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        callspec: Any = getattr(item, "callspec", None)
        parameters = {} if callspec is None else callspec.params
        its_server = next((p for name, p in parameters.items() if name.endswith("server")), None)
        server = server or its_server
        cases = wanted.get(item.nodeid.partition("[")[0])
        is_wanted = its_server in (None, server) and (
            cases is None or any(_is_case(callspec.id, case) for case in cases)
        )
        (kept if is_wanted else left_out).append(item)
    items[:] = kept
    config.hook.pytest_deselected(items=left_out)


def _is_case(parameters: str, case: str) -> bool:
    """The server's name stands before the case, or behind it."""
    return f"-{case}-" in f"-{parameters}-"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remember the first failure."""
    if report.failed and _found["failed"] is None:
        _found.update(failed=report.nodeid, when=report.when)
    elif report.passed and report.when == "call":
        _found["passed"] += 1


def pytest_sessionfinish() -> None:
    """Write the note."""
    Path(os.environ[NOTE]).write_text(json.dumps(_found), encoding="utf-8")
