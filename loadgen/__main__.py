"""The command line: `python -m loadgen run|replay|demo|check|prove`."""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import re
import secrets
import sys
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console

from loadgen import report
from loadgen.accounts import SetupFailed
from loadgen.audit import AuditFailed
from loadgen.check.command import add_check
from loadgen.demo import LEAST, demo
from loadgen.prover.command import add_prove
from loadgen.purchases import FileMalformed
from loadgen.replay import Replay, ReplayOptions
from loadgen.result import BROKEN, SOUND, UNCHECKED, Result
from loadgen.run import Run, RunOptions
from loadgen.schedule import ImpossibleMix, Mix
from loadgen.served import Least
from loadgen.stack import StackFailed
from loadgen.target import TargetUnknown, find_target

EXIT_CODES = {SOUND: 0, BROKEN: 1, UNCHECKED: 2}
NOT_DONE = 2
"""argparse's own exit code for a wrong command line, too."""
Given = TypeVar("Given")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; give 0 when the verdict is sound, 1 on a breach, 2 when there is none."""
    options = _parser().parse_args(arguments)
    if (program := getattr(options, "program", None)) is not None:
        code: int = program(options)
        return code
    console = Console(highlight=False)
    # Records live as long as the run: looking through them for cycles would only cost time.
    gc.set_threshold(50_000, 50, 100)
    try:
        result: Result = _run(options.command(options, console))
    except (
        TargetUnknown,
        SetupFailed,
        AuditFailed,
        FileMalformed,
        ImpossibleMix,
        StackFailed,
    ) as error:
        print(f"loadgen: {error}", file=sys.stderr)
        return NOT_DONE
    except KeyboardInterrupt:
        print("loadgen: interrupted, no verdict", file=sys.stderr)
        return 130
    if options.json is not None:
        report.write(result, options.json)
    return EXIT_CODES[result.verdict]


def _run(command: Coroutine[Any, Any, Given]) -> Given:
    try:
        import uvloop
    except ImportError:
        return asyncio.run(command)
    return uvloop.run(command)


async def _run_command(options: argparse.Namespace, console: Console) -> Result:
    target = find_target(options.url, options.key)
    run_options = _run_options(options)
    console.print(f"run {run_options.run_id}, seed {run_options.seed}, {target.url}")
    result = await Run(run_options, target, options.dsn, console)()
    report.show(result, console)
    return result


async def _replay_command(options: argparse.Namespace, console: Console) -> Result:
    target = find_target(options.url, options.key)
    replay_options = ReplayOptions(
        file=str(options.file),
        seed=_seed(options),
        duplicates=options.duplicates,
        ledger=options.ledger,
        clients=options.clients,
        patience=options.patience,
    )
    console.print(f"replay of {options.file}, seed {replay_options.seed}, {target.url}")
    result = await Replay(replay_options, target, options.dsn, console)()
    report.show(result, console)
    return result


async def _demo_command(options: argparse.Namespace, console: Console) -> Result:
    return await demo(_run_options(options), console)


def _run_options(options: argparse.Namespace) -> RunOptions:
    return RunOptions(
        seed=_seed(options),
        run_id=options.run_id or f"{time.time_ns() // 1_000_000:x}",
        ledger=options.ledger,
        model=options.model,
        rate=options.rate,
        clients=options.clients,
        seconds=options.seconds,
        grace=options.grace,
        accounts=options.accounts,
        mix=Mix(**{name: getattr(options, name) for name in Mix.__struct_fields__}),
        least=Least(
            **{name: getattr(options, f"least_{name}") for name in Least.__struct_fields__}
        ),
    )


def _seed(options: argparse.Namespace) -> int:
    return options.seed if options.seed is not None else secrets.randbelow(10**6)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m loadgen",
        description="Loads a payledger with retries, races and duplicates, and judges its answers.",
        epilog="Exit code: 0 sound, 1 a promise was broken, 2 no verdict.",
    )
    commands = parser.add_subparsers(required=True, metavar="run|replay|demo|check|prove")
    _add_run(commands)
    _add_replay(commands)
    _add_demo(commands)
    add_check(commands)
    add_prove(commands)
    return parser


def _add_run(commands: Any) -> None:
    parser = commands.add_parser("run", help="load a payledger and judge its answers")
    parser.set_defaults(command=_run_command)
    _add_target(parser)
    parser.add_argument("--ledger", default="main", metavar="NAME")
    _add_load(parser, model="open", clients=64, accounts=1000, least=Least())


def _add_replay(commands: Any) -> None:
    parser = commands.add_parser("replay", help="post every purchase of a CSV file exactly once")
    parser.set_defaults(command=_replay_command)
    parser.add_argument(
        "file", type=Path, help="columns: purchase,customer,date,quantity,amount_minor"
    )
    parser.add_argument("--duplicates", type=_share, default=0.3, help="rows sent twice (0.3)")
    parser.add_argument("--clients", type=_count, default=64, help="requests at a time (64)")
    parser.add_argument(
        "--patience",
        type=_positive,
        default=120.0,
        metavar="S",
        help="seconds to go on asking while there is no definite answer (120)",
    )
    parser.add_argument("--seed", type=int, help="which rows are sent twice, and when")
    parser.add_argument("--ledger", default="main", metavar="NAME")
    parser.add_argument("--json", type=_new_file, metavar="FILE", help="write the result there")
    _add_target(parser)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser("demo", help="run a payledger of its own for 20 s, and judge it")
    parser.set_defaults(command=_demo_command, ledger="main")
    # As fast as the machine is: a fixed rate would be too much for some.
    # So few clients because they share the machine with the service: more would only wait, and make
    # L2 wait for its turn in the workers until it is left out as too slow.
    _add_load(parser, model="closed", clients=24, accounts=2000, least=LEAST)


def _add_target(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", help="the payledger; default: the one `make up` runs here")
    parser.add_argument("--key", metavar="TOKEN", help="an API key with the scopes read and write")
    parser.add_argument(
        "--dsn", help="run verify_ledger too, as this login; default: of the one `make up` runs"
    )


def _add_load(
    parser: argparse.ArgumentParser, *, model: str, clients: int, accounts: int, least: Least
) -> None:
    add = parser.add_argument
    add(
        "--model",
        choices=("open", "closed"),
        default=model,
        help=f"open: constant arrival rate; closed: each client waits for its answer ({model})",
    )
    add(
        "--rate", type=_positive, default=1000.0, metavar="N", help="open: arrivals a second (1000)"
    )
    add(
        "--clients",
        type=_count,
        default=clients,
        metavar="N",
        help=f"closed: how many ({clients})",
    )
    add("--seconds", type=_positive, default=20.0, metavar="S", help="how long (20)")
    add("--grace", type=_positive, default=30.0, metavar="S", help="more, to settle the rest (30)")
    add(
        "--accounts",
        type=_accounts,
        default=accounts,
        metavar="N",
        help=f"ordinary accounts ({accounts})",
    )
    add("--seed", type=int, help="the same seed gives the same schedule; default: a random one")
    add("--run-id", type=_run_id, metavar="ID", help="in keys and accounts; default: the time")
    add("--json", type=_new_file, metavar="FILE", help="write the result there")
    mix = parser.add_argument_group("shares of the operations; the rest are plain payments")
    for name, default in zip(Mix.__struct_fields__, Mix.__struct_defaults__, strict=True):
        mix.add_argument(
            f"--{name}",
            type=_share,
            default=default,
            metavar="P",
            help=f"{_SHARES[name]} ({default})",
        )
    enough = parser.add_argument_group("what must have been seen, or there is no verdict")
    for name in Least.__struct_fields__:
        default = getattr(least, name)
        enough.add_argument(
            f"--least-{name}",
            type=_share if isinstance(default, float) else _number,
            default=default,
            metavar="P" if isinstance(default, float) else "N",
            help=f"{_LEAST[name]} ({default})",
        )


_LEAST = {
    "reads": "balances that were served",
    "l1": "share of them from L1, a worker's memory",
    "l2": "share of them from L2, Redis or Valkey",
    "elsewhere": "reads with a token on another worker than the write's",
    "audited": "balances that the service compared with its ledger by itself",
}

_SHARES = {
    "duplicates": "the same key and body sent again, soon or later",
    "races": "2 to 16 copies under one key at once, some with two different bodies",
    "conflicts": "another body under a used key",
    "timeouts": "the client hangs up in mid-call, then retries",
    "overdrafts": "more money than there is",
    "compounds": "2 to 5 postings",
    "batches": "10 to 56 payments in one request",
    "limits": "payments above an account's maximum",
    "invalid": "amount 0, unknown account, same account, other currency",
    "reads": "balances",
    "sessions": "a payment, then reads with its token",
    "newcomers": "an account is opened and paid, then read with the token",
    "rounds": "reads of one account after another",
    "hot": "payments, of whatever kind, to or from one of two hot accounts",
}


def _share(text: str) -> float:
    return _between(text, 0, 1)


def _positive(text: str) -> float:
    return _between(text, 0.001, 10**7)


def _count(text: str) -> int:
    return _whole(text, 1, 10_000)


def _number(text: str) -> int:
    return _whole(text, 0, 10**9)


def _accounts(text: str) -> int:
    return _whole(text, 2, 999_999)


def _between(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"must be from {least:g} to {most:g}")
    return value


def _whole(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise argparse.ArgumentTypeError(f"must be a whole number from {least:,} to {most:,}")
    return int(text)


def _new_file(text: str) -> Path:
    path = Path(text)
    if not path.absolute().parent.is_dir():
        raise argparse.ArgumentTypeError("must be in a directory that exists")
    return path


def _run_id(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", text):
        raise argparse.ArgumentTypeError("must be 1 to 40 letters, digits, _ and -")
    return text


if __name__ == "__main__":
    sys.exit(main())
