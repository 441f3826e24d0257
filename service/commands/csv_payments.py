"""Rows of a CSV file, as the payments they mean. Whatever a cell holds, SQL judges it."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import msgspec

from service.api.json_bodies import check_json, malformed
from service.api.payment_bodies import PAYMENTS_LIMIT
from service.api.payment_lines import Line, read_line, refused_line
from service.commands.terminal import CommandError
from service.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REQUIRED = ("idempotency_key", "from", "to", "amount", "currency")
OPTIONAL = ("description", "metadata", "effective_at")


def read_csv(lines: Iterable[bytes]) -> Iterator[list[Line]]:
    """Chunks that fit in a call. The first row names the columns, in any order.

    Raises CommandError for a file that is no CSV of payments.
    """
    reader = csv.reader(_decoded(lines))
    try:
        names = next(reader, [])
        _check_names(names)
        chunk: list[Line] = []
        for row in reader:
            if not row:
                continue
            chunk.append(_read_row(reader.line_num, names, row))
            if len(chunk) == PAYMENTS_LIMIT:
                yield chunk
                chunk = []
        if chunk:
            yield chunk
    except csv.Error as exc:
        raise CommandError(f"line {reader.line_num} is not CSV: {exc}") from exc
    except UnicodeDecodeError as exc:
        raise CommandError(f"after line {reader.line_num}: not UTF-8") from exc


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    codec = "utf-8-sig"  # spreadsheets put a mark before the first line
    for line in lines:
        yield line.decode(codec)
        codec = "utf-8"


def _check_names(names: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in names]
    unknown = [name for name in names if name not in REQUIRED + OPTIONAL]
    if missing or unknown or len(set(names)) < len(names):
        raise CommandError(
            f"the first row must name the columns {', '.join(REQUIRED)}, each once; it may name "
            f"{', '.join(OPTIONAL)} (missing: {', '.join(missing) or 'none'}; unknown: "
            f"{', '.join(unknown) or 'none'})"
        )


def _read_row(number: int, names: list[str], row: list[str]) -> Line:
    """An empty cell is a field left out."""
    if len(row) != len(names):
        return refused_line(number, malformed("not as many cells as columns"))
    fields: dict[str, str | msgspec.Raw] = {
        name: cell for name, cell in zip(names, row, strict=True) if cell
    }
    metadata = fields.get("metadata")
    if isinstance(metadata, str):
        try:
            check_json(metadata.encode())  # by itself, so that it is one value and stays one
        except Problem as problem:
            return refused_line(number, problem)
        fields["metadata"] = msgspec.Raw(metadata.encode())
    return read_line(number, msgspec.json.encode(fields))
