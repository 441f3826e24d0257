"""Tries a mutant: the tests that should notice it, then those around it, then a short prove."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mutants import witness
from mutants.mutant import StaleError
from mutants.tree import REPO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mutants.mutant import Mutant
    from mutants.tree import Copy

PROVE = "make prove"

TAP_FOLDER = "db/tests/"
TAP_RUNNER = "tests/integration/test_pgtap.py::test_every_tap_test_passes"

_TEST_SECONDS = 60
_RUN_SECONDS = 600
_END_SECONDS = 20
_PROVE = ("prove", "--seconds", "30", "--seed", "1")

# Who would notice that a text is another one, whatever it does: that is no proof.
_TEXTUAL = (
    "tests/unit/test_house.py",
    "tests/unit/test_mutants.py",
    "tests/integration/test_signatures.py",
)
# By the beginning of its file, the tests around a mutant.
_AROUND = (
    (
        "db/",
        (
            "tests/integration/test_pgtap.py",
            "tests/integration/test_roles.py",
            "tests/integration/test_check_installation.py",
            "tests/concurrency",
            "tests/acceptance/test_batches.py",
            "tests/acceptance/test_ledger_state_machine.py",
            "tests/relay",
        ),
    ),
    (
        "service/",
        (
            "tests/unit",
            "tests/cache",
            "tests/relay",
            "tests/integration/test_http_reads.py",
            "tests/integration/test_http_payments.py",
            "tests/integration/test_http_trouble.py",
            "tests/integration/test_http_access.py",
        ),
    ),
)


class Outcome(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNNOTICED = "unnoticed"  # by the tests that it names; the others were not asked
    UNTRIED = "UNTRIED"  # it says nothing about the tests: it does not apply, or nothing starts


class Verdict(NamedTuple):
    """`by`: the test that noticed; for UNTRIED what was wrong."""

    outcome: Outcome
    by: str
    seconds: float


def attempt(mutant: Mutant, copy: Copy, *, widen: bool = True) -> Verdict:
    """Stops at the first test that notices. `widen` false: asks only those that it names."""
    began = time.monotonic()
    outcome, by = _judge(mutant, copy, widen=widen)
    return Verdict(outcome, by, time.monotonic() - began)


def control(tests: Sequence[str], copy: Copy) -> str | None:
    """What fails without any mutant; None: nothing, so a failure with one is the mutant's."""
    outcome, by = _run(tests, copy)
    return None if outcome is Outcome.SURVIVED else by


def around(file: str) -> tuple[str, ...]:
    """The tests around a file."""
    return next((tests for beginning, tests in _AROUND if file.startswith(beginning)), ())


def _judge(mutant: Mutant, copy: Copy, *, widen: bool) -> tuple[Outcome, str]:
    try:
        with copy.broken_by(mutant):
            outcome, by = _run(mutant.tests, copy)
            if outcome is not Outcome.SURVIVED:
                return outcome, by
            if not widen:
                return Outcome.UNNOTICED, ""
            outcome, by = _run(around(mutant.file), copy)
            if outcome is Outcome.SURVIVED:
                return _prove(copy)
    except StaleError as error:
        return Outcome.UNTRIED, str(error)
    if outcome is Outcome.KILLED and control((by,), copy) is not None:
        return Outcome.UNTRIED, f"fails without it, too: {by}"
    return outcome, by


def _run(tests: Sequence[str], copy: Copy) -> tuple[Outcome, str]:
    """One run of pytest, to its first failure."""
    nodes, cases = _select(tests)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", "-p", "no:cacheprovider"]
    command += ["-p", witness.__name__, "--hypothesis-seed=0", f"--timeout={_TEST_SECONDS}"]
    command += [f"--ignore={path}" for path in _TEXTUAL]
    with tempfile.TemporaryDirectory() as folder:
        note = Path(folder, "note.json")
        env = {witness.NOTE: str(note), witness.CASES: json.dumps(cases)}
        ended, said = _carry_out([*command, *nodes], copy, env)
        if ended is None:
            return Outcome.UNTRIED, f"no end after {_RUN_SECONDS} s"
        if not note.exists():
            return Outcome.UNTRIED, _last_line(said)
        noted = json.loads(note.read_text(encoding="utf-8"))
    failed: str | None = noted["failed"]
    if failed is not None and noted["when"] != "setup":
        return Outcome.KILLED, failed
    if failed is not None or ended != 0 or not noted["passed"]:
        return Outcome.UNTRIED, f"{failed or ''} {_last_line(said)}".strip()
    return Outcome.SURVIVED, ""


def _select(tests: Sequence[str]) -> tuple[list[str], dict[str, list[str]]]:
    """What to name to pytest, and which of its cases are wanted. A pgTAP file is a case."""
    wanted: dict[str, set[str]] = {}
    for test in tests:
        if test.startswith(TAP_FOLDER):
            node, case = TAP_RUNNER, test.removeprefix(TAP_FOLDER)
        else:
            node, _, case = test.removesuffix("]").partition("[")
        wanted.setdefault(node, set()).add(case)
    cases = {node: sorted(cases) for node, cases in wanted.items() if "" not in cases}
    return list(wanted), cases


def _prove(copy: Copy) -> tuple[Outcome, str]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "loadgen", *_PROVE, "--directory", folder]
        ended, said = _carry_out(command, copy, {})
    if ended == 1:
        return Outcome.KILLED, PROVE
    return Outcome.SURVIVED, "" if ended == 0 else f"no prove: {_last_line(said)}"


def _carry_out(
    command: Sequence[str], copy: Copy, env: Mapping[str, str]
) -> tuple[int | None, str]:
    """Exit code and output. None: it had to be ended; its servers end with it."""
    # All that is tested comes from the copy; the witness, if need be, from here.
    paths = os.pathsep.join(map(str, (copy.root, copy.root / "tests", REPO / "tests")))
    process = subprocess.Popen(
        command,
        cwd=copy.root,
        env={**os.environ, "PYTHONPATH": paths, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=_RUN_SECONDS)
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        _end(process)
    return process.returncode, said


def _end(process: subprocess.Popen[str]) -> None:
    """As by Ctrl-C, so that pytest puts its fixtures away; then for good."""
    for signal_, seconds in ((signal.SIGINT, _END_SECONDS), (signal.SIGKILL, None)):
        if process.poll() is None:
            os.killpg(process.pid, signal_)
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("E ")]  # pytest's word for the error
    return (told or lines or ["nothing was said"])[-1][:200]
