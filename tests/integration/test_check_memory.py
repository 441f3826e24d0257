"""The checker streams: ten times as many requests need SQLite's bounded cache, and no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.made_history import SECOND

from loadgen.check.index import CACHE_KIB
from loadgen.journal.records import Answered, Begin, End, Invoke, encode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import BinaryIO

    from support.payments import Ledger

ACCOUNTS = 50
COPIES = 6
"""Attempts at each payment: all but the first are replays."""
FEW, MANY = 30_000, 300_000
AT_ONCE = 500
MARGIN_KIB = 48 * 1024
"""For what the allocator does not give back, and a prefetch of either side."""


def request(number: int) -> dict[str, str]:
    source, target = number % ACCOUNTS, (number * 7 + 1) % ACCOUNTS
    if source == target:
        target = (target + 1) % ACCOUNTS
    return {"from": f"m:{source}", "to": f"m:{target}", "amount": "1", "currency": "USD"}


class Generated:
    """A ledger that fills up, with the history of it: as large as is asked for."""

    def __init__(self, ledger: Ledger, name: str, file: BinaryIO) -> None:
        self._ledger = ledger
        self._file = file
        self._at = self._attempts = 0
        self._file.write(encode(Begin(1, "generated", 1, name, "m:")) + b"\n")

    async def post(self, numbers: Iterable[int]) -> None:
        """Post payments in one call, and write down that each was asked for again and again."""
        requests = {f"p{number}": request(number) for number in numbers}
        results = await self._ledger.pay_many(
            self._ledger.observer,
            [{"idempotency_key": key} | content for key, content in requests.items()],
        )
        for copy in range(COPIES):
            for (key, content), result in zip(requests.items(), results, strict=True):
                self._attempts += 1
                self._at += SECOND // 1000
                n, at = self._attempts, self._at
                invoke = Invoke(n, at, n, key, json.dumps(content))
                answered = Answered(n, at, 201, result.body, copy > 0)
                self._file.write(encode(invoke) + b"\n" + encode(answered) + b"\n")


def peak_of_check(history: Path, attempts: int, dsn: str) -> int:
    """Check it in a process of its own; give the most memory that this had, in KiB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "loadgen", "check", str(history), "--dsn", dsn],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    assert f"checked: {attempts:,} attempts" in said
    return usage.ru_maxrss


@pytest.mark.timeout(600)
async def test_ten_times_as_many_requests_take_no_more_memory(
    ledger: Ledger, tmp_path: Path
) -> None:
    name = await ledger.observer.fetchval(
        "select name from ledger.ledgers where ledger_id = $1", ledger.id
    )
    for number in range(ACCOUNTS):
        await ledger.observer.execute(
            "select ledger.create_account($1, 'USD', p_min_balance => null, p_ledger_id => $2)",
            f"m:{number}",
            ledger.id,
        )
    dsn = ledger.database.dsn("postgres")
    history, first = tmp_path / "history", tmp_path / "first"
    peaks = []
    with history.open("wb") as file:
        generated = Generated(ledger, name, file)
        done = 0
        for size in (FEW, MANY):
            for start in range(done, size // COPIES, AT_ONCE):
                await generated.post(range(start, min(start + AT_ONCE, size // COPIES)))
            done = size // COPIES
            await ledger.observer.execute("analyze")  # autovacuum does, in a database that lives
            file.flush()
            first.write_bytes(history.read_bytes() + encode(End(0)) + b"\n")
            peaks.append(peak_of_check(first, size, dsn))
    few, many = peaks
    assert many - few < CACHE_KIB + MARGIN_KIB
