"""`loadgen demo`: a stack of its own, every nasty behaviour, a verdict, a clean stop."""

from __future__ import annotations

from rich.console import Console

from loadgen import report
from loadgen.result import SOUND, Result
from loadgen.run import Run, RunOptions
from loadgen.served import Least
from loadgen.stack import Stack

WORKERS = 2
LEAST = Least(reads=10_000, l1=0.3, l2=0.05, elsewhere=1_000, audited=1)
"""A demo of the cache that has seen less than this has shown nothing."""


async def demo(options: RunOptions, console: Console) -> Result:
    """Give the result of a run against a payledger that lives only as long as that."""
    console.print(f"starting payledger, {WORKERS} workers, on embedded PostgreSQL and Valkey")
    async with Stack(WORKERS) as stack:
        target = stack.target
        console.print(f"run {options.run_id}, seed {options.seed}, {target.url}")
        result = await Run(options, target, None, console)()
        stack.keep = result.verdict != SOUND
        report.show(result, console)
        await stack.stop()
        console.print("payledger stopped cleanly, and no process is left")
        if stack.keep:
            console.print(f"its data and log are kept in {stack.log.parent}")
    console.print(summary(result), soft_wrap=True)
    return result


def summary(result: Result) -> str:
    """Say in one line what was checked."""
    checked = result.checked
    return (
        f"demo: {result.verdict}: {checked.payments:,} payments, {checked.replays:,} replays,"
        f" {checked.refusals:,} refusals, {checked.conflicts:,} conflicts,"
        f" {checked.reads:,} reads checked"
        f" in {result.pace.seconds:.0f} s"
    )
