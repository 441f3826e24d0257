"""`make bench`: measures payledger beside its yardsticks and writes bench/results/latest.json.

Only ratios within one run mean anything: both sides run on one server, in turns.
docs/performance.md explains each name.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
from rich.console import Console

from bench import findings, report
from bench.catalogue import Measurement, chosen
from bench.curves import draw_all
from bench.goals import GOALS
from bench.harness import BenchFailed
from bench.tools.lab import FULL, QUICK, Lab, open_lab, temporary_home
from bench.tools.processors import Stolen
from bench.tools.wrk import find_wrk
from service.embedded import EmbeddedError

FAILURES = (BenchFailed, asyncpg.PostgresError, EmbeddedError, OSError)
_WORTH_TELLING = 0.5  # percent
PLOTS = Path(__file__).parents[1] / "docs" / "plots"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints a table, writes the results. A missed goal is no failure: 0."""
    options = _parser().parse_args(arguments)
    console = Console()
    scale = QUICK if options.quick else FULL
    wanted = {
        name: getattr(options, name) for name in ("rounds", "seconds") if getattr(options, name)
    }
    scale = dataclasses.replace(scale, **wanted)
    try:
        find_wrk()
    except BenchFailed as error:
        console.print(f"[bold red]what needs it will fail:[/] {error}", highlight=False)
    with temporary_home() as home, open_lab(home, scale) as lab:
        lab.growth_dir = options.keep
        if options.plots:
            for path in draw_all(lab, PLOTS):
                console.print(f"written: {path}", highlight=False)
            return 0
        return _measure(lab, options.only, console)


def _measure(lab: Lab, only: frozenset[str], console: Console) -> int:
    run = Run(console, only)
    for measurement in chosen(only, full=lab.scale.grow):
        run.perform(measurement, lab)
    report.show(console, run.values, run.failures)
    latest = findings.write(run.values, _details(run, lab))
    console.print(f"written: {latest}", highlight=False)
    if missing := [name for name in GOALS if name not in run.values]:
        console.print(f"not measured, and not in it: {', '.join(missing)}", highlight=False)
    return 1 if run.failures else 0


class Run:
    """What has been found so far."""

    def __init__(self, console: Console, only: frozenset[str]) -> None:
        self.values: dict[str, float] = {}
        self.details: dict[str, Any] = {}
        self.failures: dict[str, str] = {}
        self._console = console
        self._only = only

    def perform(self, measurement: Measurement, lab: Lab) -> None:
        """One that fails costs its own names only."""
        names = [name for name in measurement.names if not self._only or name in self._only]
        label = ", ".join(names)
        begun, stolen = time.monotonic(), Stolen()
        try:
            lab.settle()
            with self._console.status(label):
                found = measurement.measure(lab)
        except FAILURES as error:
            self.failures.update(dict.fromkeys(names, str(error)))
            self._console.print(f"{label}: [bold red]failed[/]", highlight=False)
            return
        seconds = round(time.monotonic() - begun, 1)
        self.values.update((name, found.values[name]) for name in names)
        percent = round(stolen.percent, 1)
        self.details[label] = {
            "took_seconds": seconds,
            "stolen_percent": percent,
            **found.details,
        }
        values = ", ".join(f"{name} {report.number(found.values[name])}" for name in names)
        self._console.print(f"{values} ({seconds:.0f} s)", highlight=False)
        if found.note:
            self._console.print(f"  {found.note}", highlight=False)
        if percent >= _WORTH_TELLING:
            self._console.print(f"  {percent} % of the processors were not ours", highlight=False)


def _details(run: Run, lab: Lab) -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "load_average": os.getloadavg(),
        "scale": dataclasses.asdict(lab.scale),
        "settings": lab.settings(),
        "measurements": run.details,
        "failures": run.failures,
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="shorter rounds, no growth run")
    parser.add_argument(
        "--only", type=_names, default=frozenset(), metavar="NAMES", help="some, by comma"
    )
    parser.add_argument(
        "--keep", type=Path, metavar="DIR", help="where the grown ledger stays, to be used again"
    )
    parser.add_argument("--plots", action="store_true", help="draw those of docs/plots instead")
    parser.add_argument("--rounds", type=int, help="other than those of the scale")
    parser.add_argument("--seconds", type=float, help="of each contender in each round")
    return parser


def _names(text: str) -> frozenset[str]:
    names = frozenset(filter(None, text.split(",")))
    if unknown := names - set(GOALS):
        raise argparse.ArgumentTypeError(
            f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(GOALS)}"
        )
    return names


if __name__ == "__main__":
    raise SystemExit(main())
