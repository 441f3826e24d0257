"""`python -m loadgen prove`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import secrets
import sys
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console

from loadgen.accounts import SetupFailed
from loadgen.check.command import show as show_verdict
from loadgen.check.ledger import LedgerUnread
from loadgen.faults.matrix import BY_NAME
from loadgen.journal.writer import JournalFailed
from loadgen.prover import page, table
from loadgen.prover.prove import Prove, ProveOptions
from loadgen.rig.programs import RigFailed

SOUND, BROKEN, NOT_DONE, INTERRUPTED = 0, 1, 2, 130


def add_prove(commands: Any) -> None:
    """Add `prove` to the parser."""
    parser = commands.add_parser("prove", help="break a rig of its own under load, and check it")
    parser.set_defaults(program=run_prove)
    add = parser.add_argument
    defaults = ProveOptions(seed=0)
    add("--seconds", type=float, default=defaults.seconds, help="how long the load lasts (600)")
    add("--seed", type=int, help="the same seed gives the same load and faults; default: random")
    add("--faults", default="", help="names, by comma; default: all; `list` lists them")
    add("--model", choices=("open", "closed"), default=defaults.model)
    add("--rate", type=float, default=defaults.rate, help="open: operations a second (100)")
    add("--clients", type=int, default=defaults.clients, help="closed: how many (32)")
    add("--accounts", type=int, default=defaults.accounts, help="ordinary accounts (1000)")
    add("--directory", type=Path, default=defaults.directory, help="for history and report")


def run_prove(options: argparse.Namespace) -> int:
    """Give 0 when all is sound, 1 when anything is not, 2 when it could not be done."""
    console = Console(highlight=False)
    if options.faults == "list":
        for fault in BY_NAME.values():
            console.print(f"{fault.name:22} {fault.row}")
        return SOUND
    names = tuple(name for name in options.faults.split(",") if name and name != "none")
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        print(f"loadgen prove: there is no fault {', '.join(unknown)}", file=sys.stderr)
        return NOT_DONE
    seed = options.seed if options.seed is not None else secrets.randbelow(10**6)
    prove = Prove(
        ProveOptions(
            seed=seed,
            seconds=options.seconds,
            model=options.model,
            rate=options.rate,
            clients=options.clients,
            accounts=options.accounts,
            faults=names,
            directory=options.directory.absolute(),
        ),
        console,
    )
    console.print(f"seed {seed}, {options.seconds:g} s, history {prove.history_file}")
    gc.set_threshold(50_000, 50, 100)
    try:
        proof = asyncio.run(prove())
    except (RigFailed, SetupFailed, LedgerUnread, JournalFailed) as error:
        print(f"loadgen prove: {error}", file=sys.stderr)
        return NOT_DONE
    except KeyboardInterrupt:
        print("loadgen prove: interrupted, no verdict", file=sys.stderr)
        return INTERRUPTED
    report = options.directory / f"report-{seed}"
    report.with_suffix(".json").write_bytes(
        msgspec.json.format(msgspec.json.encode(proof), indent=1) + b"\n"
    )
    report.with_suffix(".html").write_text(page.render(proof), encoding="utf-8")
    show_verdict(proof.verdict, console)
    table.show(proof, console)
    console.print(f"report: {report.with_suffix('.html')}")
    console.print(table.summary(proof), soft_wrap=True)
    return SOUND if proof.sound else BROKEN
