"""`import`: posts a file of payments, CSV or a line of JSON each. Run again, it goes on.

It works on the database, through the same poster as the service: wherever the ledger can be
reached a file can be imported, with a service running or none, and without an API key.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from service.commands.targets import find_running
from service.commands.terminal import CommandError, progress, say, table, warn
from service.database.bounded import BoundedPool
from service.database.connections import DatabaseError, create_pool
from service.ledger.gateway import Gateway, values_of
from service.ledger.poster import NoEcho, Owner, Poster
from service.metrics.instruments import Metrics
from service.metrics.memory import Region

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from service.api.payment_lines import Answered, Line
    from service.commands.terminal import Commands
    from service.settings import Settings

FORMATS = ("csv", "ndjson")

# A file has nobody waiting for each payment: trouble that passes within this time goes unseen.
_DEADLINE_SECONDS = 60.0

_CONNECTIONS = 4
_SHOWN = 10  # refusals; --refused keeps all
_PIECE_BYTES = 64 * 1024


def add_commands(commands: Commands) -> None:
    """Adds `import` to the parser."""
    parser = commands.add_parser("import", help="post a file of payments; run again, it goes on")
    parser.add_argument("file", metavar="FILE", help="CSV or NDJSON; - for standard input")
    parser.add_argument("--ledger", default="main", metavar="NAME", help="default: main")
    parser.add_argument(
        "--format", choices=FORMATS, help="default: by the name's ending, else ndjson"
    )
    parser.add_argument(
        "--refused", metavar="FILE", type=Path, help="write every line not posted here, with why"
    )
    parser.set_defaults(run=run_import)


def run_import(settings: Settings, options: argparse.Namespace) -> int:
    """Exit status 1 when any line was not posted, now or by an earlier run."""
    try:
        with _opened(options.file) as source, _refusals(options.refused) as keep:
            report = _Report(keep)
            size = os.fstat(source.fileno()).st_size if options.file != "-" else None
            with progress("importing", size) as advance:
                asyncio.run(_import(_service_dsn(settings), options, source, report, advance))
    except DatabaseError as exc:
        raise CommandError(str(exc)) from exc
    return report.show()


def _service_dsn(settings: Settings) -> str:
    """The login that posts: the service's own."""
    if settings.dsn:
        return settings.dsn
    if running := find_running(settings):
        return running.dsn
    raise CommandError(
        "no database: start the embedded one with `payledger up`, or set PAYLEDGER_DSN"
    )


async def _import(
    dsn: str,
    options: argparse.Namespace,
    source: BinaryIO,
    report: _Report,
    advance: Callable[[float], None],
) -> None:
    from service.api.payment_lines import post_lines

    seconds = _DEADLINE_SECONDS
    pool = await create_pool(
        dsn,
        size=_CONNECTIONS,
        application_name="payledger import",
        command_seconds=seconds + 5,
    )
    try:
        async with BoundedPool(pool) as bounded:
            metrics = Metrics(Region.alone())
            gateway = Gateway(bounded, bounded, deadline_seconds=seconds, metrics=metrics)
            ledger = await gateway.find_ledger(options.ledger)
            if ledger is None:
                raise CommandError(f"no ledger is called {options.ledger}")
            owner = Owner(ledger.ledger_id, api_key_id=0)

            async def answer(answered: list[Answered]) -> None:
                report.add(answered)

            chunks = _chunks(source, options.format or _format_of(options.file), advance)
            async with Poster(gateway, NoEcho(), deadline_seconds=seconds) as poster:
                try:
                    await post_lines(poster, owner, chunks, answer)
                except BaseExceptionGroup as group:
                    told, others = group.split(CommandError)
                    if told is None or others is not None:
                        raise
                    raise told.exceptions[0] from None
    finally:
        pool.terminate()


async def _chunks(
    source: BinaryIO, format_: str, advance: Callable[[float], None]
) -> AsyncIterator[list[Line]]:
    from service.api.payment_lines import Lines
    from service.commands.csv_payments import read_csv

    if format_ == "csv":
        for chunk in read_csv(_counted(source, advance)):
            yield chunk
        return
    lines = Lines()
    for piece in _counted(iter(lambda: source.read(_PIECE_BYTES), b""), advance):
        for chunk in lines.feed(piece):
            yield chunk
    for chunk in lines.end():
        yield chunk


def _counted(pieces: Iterable[bytes], advance: Callable[[float], None]) -> Iterator[bytes]:
    for piece in pieces:
        advance(len(piece))
        yield piece


class _Report:
    """Counts outcomes, and tells the first few refusals at once."""

    def __init__(self, keep: Callable[[bytes], object]) -> None:
        self._keep = keep
        self._counts: Counter[str] = Counter()
        self._told = 0

    def add(self, answered: list[Answered]) -> None:
        """What became of a chunk."""
        from service.errors import render

        for (number, _, _), result in answered:
            if result.outcome == "posted":
                self._counts["posted before" if result.replayed else "posted"] += 1
                continue
            code = result.code or "internal_error"
            self._counts[code] += 1
            body = render(code, values_of(result)).body
            self._keep(b'{"line":%d,"body":%b}\n' % (number, body))
            if self._told < _SHOWN:
                self._told += 1
                warn(f"line {number}: {code}")

    def show(self) -> int:
        """A table of outcomes; the exit status."""
        posted = ("posted", "posted before")
        rows = [(name, self._counts[name]) for name in posted]
        rows += [row for row in self._counts.most_common() if row[0] not in posted]
        table(("outcome", "payments"), [(name, str(count)) for name, count in rows])
        failed = sum(count for name, count in rows if name not in posted)
        if failed:
            say(f"{failed} not posted; run it again after correcting what is wrong")
        return 1 if failed else 0


def _format_of(name: str) -> str:
    return "csv" if name.lower().endswith(".csv") else "ndjson"


@contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        with Path(name).open("rb") as source:
            yield source
    except OSError as exc:
        raise CommandError(f"cannot read {name}: {exc.strerror}") from exc


@contextmanager
def _refusals(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    if path is None:
        yield lambda line: None
        return
    try:
        with path.open("wb") as target:
            yield target.write
    except OSError as exc:
        raise CommandError(f"cannot write {path}: {exc.strerror}") from exc
