"""The table, fault by fault, and the last line."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from loadgen.prover.injector import SERVED, Injection
from loadgen.prover.prove import Proof


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """All injections of one fault."""

    fault: str
    injected: int
    counted: int
    """Those that hit requests in flight."""
    least_in_flight: int
    most_in_flight: int
    slowest: float | None
    """Seconds to recover, the longest."""
    p99_ms: float
    """While it was at work, the worst."""
    verdict: str


def rows(injections: Iterable[Injection]) -> list[Row]:
    """Sum up the injections by fault."""
    by_fault: dict[str, list[Injection]] = {}
    for injection in injections:
        by_fault.setdefault(injection.fault, []).append(injection)
    table = []
    for fault, mine in by_fault.items():
        recoveries = [one.recovery for one in mine if one.recovery is not None]
        wrong = [one for one in mine if one.verdict != SERVED]
        table.append(
            Row(
                fault=fault,
                injected=len(mine),
                counted=sum(one.counts for one in mine),
                least_in_flight=min(one.in_flight for one in mine),
                most_in_flight=max(one.in_flight for one in mine),
                slowest=max(recoveries, default=None),
                p99_ms=max(one.p99_ms for one in mine),
                verdict=f"{wrong[0].verdict} (number {wrong[0].number})" if wrong else SERVED,
            )
        )
    return table


def show(proof: Proof, console: Console) -> None:
    """Print the table, what was skipped, and the line that sums it all up."""
    table = Table(
        title="Faults, in the order in which they first came", title_justify="left", box=SIMPLE_HEAD
    )
    table.add_column("fault", no_wrap=True)
    for heading in ("times", "hit", "in flight", "back s", "p99 ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for row in rows(proof.injections):
        table.add_row(
            row.fault,
            str(row.injected),
            str(row.counted),
            f"{row.least_in_flight}-{row.most_in_flight}",
            "-" if row.slowest is None else f"{row.slowest:.2f}",
            f"{row.p99_ms:,.0f}",
            row.verdict,
        )
    console.print(table)
    for injection in proof.injections:
        if injection.note:
            console.print(
                f"{injection.fault} (number {injection.number}): {injection.note}",
                markup=False,
                soft_wrap=True,
            )
    for skipped in proof.skipped:
        instead = f"; instead: {skipped.substitute}" if skipped.substitute else ""
        console.print(f"skipped: {skipped.fault}: {skipped.why}{instead}", soft_wrap=True)


def summary(proof: Proof) -> str:
    """Say in one line what was done and what was found."""
    counted = [injection for injection in proof.injections if injection.counts]
    kinds = len({injection.fault for injection in counted})
    breaches = sum(proof.verdict.breaches.values())
    trouble = sum(injection.verdict != SERVED for injection in proof.injections)
    checked = proof.verdict.checked
    return (
        f"prove: seed {proof.seed}: {'sound' if proof.sound else 'NOT SOUND'}:"
        f" {checked.attempts:,} attempts ({proof.duplicates:.0%} repeat a key,"
        f" {checked.unknown:,} unknown), {checked.payments:,} payments, {checked.reads:,} reads;"
        f" {len(counted)} injections of {kinds} kinds of fault hit requests in flight,"
        f" {trouble} went wrong; {breaches} breaches"
    )
