"""`python -m loadgen check HISTORY --dsn DSN`."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from loadgen.check.ledger import LedgerUnread
from loadgen.check.verdict import ORACLES, Verdict, check
from loadgen.journal.reader import HistoryDamaged

SOUND, BROKEN, UNCHECKED = 0, 1, 2


def add_check(commands: Any) -> None:
    """Add `check` to the parser."""
    parser = commands.add_parser("check", help="hold a history against the ledger, by SQL")
    parser.set_defaults(program=run_check)
    parser.add_argument("history", type=Path, help="what `prove` or `run --history` has written")
    parser.add_argument("--dsn", required=True, help="a login that may read the ledger's tables")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdict there")
    parser.add_argument(
        "--directory", type=Path, help="where the index goes: about 400 bytes a request (/tmp)"
    )


def run_check(options: argparse.Namespace) -> int:
    """Give 0 when all is sound, 1 on a breach, 2 when it could not be checked."""
    try:
        verdict = asyncio.run(check(options.history, options.dsn, options.directory))
    except (HistoryDamaged, LedgerUnread, OSError) as error:
        print(f"loadgen check: {error}", file=sys.stderr)
        return UNCHECKED
    show(verdict, Console(highlight=False))
    if options.json is not None:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(verdict)) + b"\n")
    return SOUND if verdict.sound else BROKEN


def show(verdict: Verdict, console: Console) -> None:
    """Print the evidence and, last, the verdict."""
    for breach in verdict.evidence:
        console.print(f"[red]{breach['oracle']} {breach['rule']}[/]: {breach['says']}")
        console.print(
            json.dumps(breach, indent=2, ensure_ascii=False), markup=False, soft_wrap=True
        )
    checked = verdict.checked
    console.print(
        f"checked: {checked.attempts:,} attempts, {checked.unknown:,} of them unknown,"
        f" {checked.replays:,} replays; {checked.keys:,} keys, {checked.payments:,} payments,"
        f" {checked.refusals:,} refusals, {checked.conflicts:,} conflicts; {checked.entries:,}"
        f" entries of {checked.accounts:,} accounts; {checked.reads:,} reads,"
        f" {checked.read_tokens:,} with a token, {checked.other_history:,} of another history;"
        f" {checked.faults:,} faults",
        soft_wrap=True,
    )
    if checked.lost or checked.lost_reads:
        console.print(
            f"lost in failovers that were declared to lose: {checked.lost:,} acknowledged payments;"
            f" {checked.lost_reads:,} reads had shown what is lost",
            soft_wrap=True,
        )
    if not checked.ended:
        console.print("the history has no end: what is undecided in it is not held against anyone")
    for oracle, promise in ORACLES.items():
        rules = {rule: count for rule, count in verdict.breaches.items() if rule.startswith(oracle)}
        told = ", ".join(f"{rule[3:]} {count:,}" for rule, count in rules.items()) or "kept"
        console.print(f"{oracle} {promise}: {told}", soft_wrap=True)
    colour, word = ("green", "sound") if verdict.sound else ("red", "broken")
    console.print(f"[{colour}]verdict: {word}[/] (seed {verdict.seed})")
