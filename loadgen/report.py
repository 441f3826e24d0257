"""Shows a result to a person."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from loadgen.result import SOUND, Checked, Result
from loadgen.served import Seen


def show(result: Result, console: Console) -> None:
    """Print the latencies, the outcomes, the verdict, and the evidence against a broken one."""
    console.print(_latencies(result))
    console.print(_outcomes(result))
    pace = result.pace
    console.print(
        f"{result.requests:,} requests in {result.seconds:.1f} s:"
        f" {result.requests_per_second:,.0f} a second."
        f" Arrivals: {pace.started:,} started, {pace.late:,} late"
        f" (by up to {pace.latest * 1000:.0f} ms), {pace.dropped:,} dropped."
    )
    if pace.late or pace.dropped:
        console.print(
            "[yellow]The generator could not keep to its rate; late arrivals are timed from when"
            " they were due, dropped ones were never sent.[/]"
        )
    for name, value in result.notes.items():
        console.print(f"{name}: {value:,}")
    for item in result.evidence:
        console.print(f"[red]breach: {item['rule']}[/]")
        console.print(json.dumps(item, indent=2, ensure_ascii=False), markup=False, soft_wrap=True)
    console.print(_checked(result.checked))
    if result.seen.reads:
        console.print(_seen(result.seen))
    colour = "green" if result.verdict == SOUND else "red"
    console.print(f"[{colour}]verdict: {result.verdict}[/] (seed {result.seed})")
    if why := _why(result):
        console.print(why, markup=False, soft_wrap=True)


def _why(result: Result) -> str:
    """Say what stands against the verdict `sound`."""
    reasons = [", ".join(f"{rule} {count:,}" for rule, count in result.breaches.items())]
    reasons.append(result.checked.not_checked or "")
    if result.checked.lacking:
        reasons.append(f"too little was seen: {', '.join(result.checked.lacking)}")
    return "; ".join(filter(None, reasons))


def _checked(checked: Checked) -> str:
    return (
        f"Checked: {checked.payments:,} payments, {checked.replays:,} replays,"
        f" {checked.refusals:,} refusals, {checked.conflicts:,} conflicts,"
        f" {checked.entries:,} entries of {checked.accounts:,} accounts, {checked.reads:,} reads"
        f"{' (by SQL, too)' if checked.reads_by_sql else ''},"
        f" verify_ledger {'run' if checked.verify_ledger else 'not run (see --dsn)'}."
    )


def _seen(seen: Seen) -> str:
    return (
        f"Reads: {seen.l1 / seen.reads:.1%} from L1, {seen.l2 / seen.reads:.1%} from L2,"
        f" {seen.db / seen.reads:.1%} from the database, by {seen.workers} workers;"
        f" {seen.with_token:,} with a token, {seen.elsewhere:,} of them on another worker than"
        f" the write's; {seen.audited:,} audited by the service."
    )


def write(result: Result, path: Path) -> None:
    """Write the result as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n")


def _latencies(result: Result) -> Table:
    table = Table(title="Latency, ms, from the intended start to the definite answer")
    table.add_column("operation")
    for heading in ("count", "p50", "p90", "p99", "p99.9", "max"):
        table.add_column(heading, justify="right")
    for kind, row in result.latencies_ms.items():
        figures = (row.p50, row.p90, row.p99, row.p99_9, row.max)
        table.add_row(kind, f"{row.count:,}", *(f"{figure:,.1f}" for figure in figures))
    return table


def _outcomes(result: Result) -> Table:
    table = Table(title="Answers")
    table.add_column("outcome")
    table.add_column("count", justify="right")
    for outcome, count in sorted(result.outcomes.items(), key=lambda item: -item[1]):
        table.add_row(outcome, f"{count:,}")
    return table
