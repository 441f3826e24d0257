"""`loadgen prove` for real: PostgreSQL with its standby, Valkey, two services, and faults."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.rig.programs import RigFailed, postgres_programs

# For this seed they are the first four injections: all have been after ten of the seconds, and on a
# machine that is twice as slow still.
FAULTS = "failover,commit_answer_lost,service_killed,postgres_killed"
SEED, SECONDS = "2", "40"
REPO = Path(__file__).parents[2]


def prove(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        postgres_programs()
    except RigFailed as error:
        pytest.skip(str(error))
    return subprocess.run(
        [sys.executable, "-m", "loadgen", "prove", "--directory", str(tmp_path), *arguments],
        cwd=REPO,
        env=os.environ | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def processes_with(mark: str) -> list[str]:
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if mark in line]


@pytest.mark.timeout(400)
def test_faults_under_load_are_recovered_from_without_a_breach(tmp_path: Path) -> None:
    load = ("--seconds", SECONDS, "--seed", SEED, "--rate", "25")
    done = prove(tmp_path, *load, "--faults", FAULTS)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"prove: seed {SEED}: sound: ")
    assert last.endswith("; 0 breaches")

    report = json.loads((tmp_path / f"report-{SEED}.json").read_bytes())
    assert report["verdict"]["sound"]
    assert report["undecided"] == 0
    assert report["duplicates"] >= 0.3
    injected = {one["fault"] for one in report["injections"]}
    assert injected == set(FAULTS.split(","))
    assert all(one["in_flight"] > 0 for one in report["injections"])
    # An acknowledgement that was lost is an attempt without an answer, and a replay after it.
    assert report["verdict"]["checked"]["unknown"] > 0
    assert report["verdict"]["checked"]["replays"] > 0
    assert (tmp_path / f"report-{SEED}.html").read_text().startswith("<!doctype html>")

    home = re.search(r"/tmp/payledger-prove-\w+", done.stdout + done.stderr)
    assert processes_with(home[0] if home else "/payledger-prove-") == []


def test_an_unknown_fault_is_refused(tmp_path: Path) -> None:
    done = prove(tmp_path, "--faults", "earthquake")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no fault earthquake" in done.stderr
