"""The checker streams: ten times as many requests need SQLite's bounded cache, and no more.

Its cache is made small here: a full one of its own size would hide growth that a tenth of the
requests shows beside a small one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.databases import Database
from support.made_history import SECOND
from support.payments import new_ledger
from support.servers import each_server

from loadgen.journal.records import Answered, Begin, End, Invoke, encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from typing import BinaryIO

    from support.payments import Ledger
    from support.servers import Server

ACCOUNTS = 50
COPIES = 6
"""Attempts at each payment: all but the first are replays."""
FEW, MANY = 9_000, 90_000
AT_ONCE = 500
CACHE_KIB = 4 * 1024
MARGIN_KIB = 12 * 1024
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
        bodies = {key: json.dumps(content) for key, content in requests.items()}
        for copy in range(COPIES):
            for (key, body), result in zip(bodies.items(), results, strict=True):
                self._attempts += 1
                self._at += SECOND // 1000
                n, at = self._attempts, self._at
                invoke = Invoke(n, at, n, key, body)
                answered = Answered(n, at, 201, result.body, copy > 0)
                self._file.write(encode(invoke) + b"\n" + encode(answered) + b"\n")


# Not by rusage: a process that is started has its parent's peak until it is another program.
CHECK = """
import re, sys
from pathlib import Path
from loadgen.__main__ import main
from loadgen.check import index
index.CACHE_KIB = int(sys.argv[1])
status = main(sys.argv[2:])
print("peak", re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
sys.exit(status)
"""


def peak_of_check(history: Path, attempts: int, dsn: str) -> int:
    """Check it in a process of its own; give the most memory that this had, in KiB."""
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(CACHE_KIB), "check", str(history), "--dsn", dsn],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"checked: {attempts:,} attempts" in done.stdout
    return int(done.stdout.splitlines()[-1].removeprefix("peak "))


@pytest.fixture
async def books(server: Server) -> AsyncIterator[Ledger]:
    """A new ledger, in a database of its own: it is too many payments for others to look through.

    The checker looks at it: to verify that many payments, too, takes long.
    """
    database = Database(server, server.new_database())
    yield await new_ledger(database)
    await database.close()
    server.postgres.drop_database(database.name)


# One server is enough: the memory is the checker's, which asks each in the same way.
@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", each_server()[:1], indirect=True)
async def test_ten_times_as_many_requests_take_no_more_memory(
    books: Ledger, tmp_path: Path
) -> None:
    name = await books.observer.fetchval(
        "select name from ledger.ledgers where ledger_id = $1", books.id
    )
    for number in range(ACCOUNTS):
        await books.observer.execute(
            "select ledger.create_account($1, 'USD', p_min_balance => null, p_ledger_id => $2)",
            f"m:{number}",
            books.id,
        )
    dsn = books.database.dsn("postgres")
    history, first = tmp_path / "history", tmp_path / "first"
    peaks = []
    with history.open("wb") as file:
        generated = Generated(books, name, file)
        done = 0
        for size in (FEW, MANY):
            for start in range(done, size // COPIES, AT_ONCE):
                await generated.post(range(start, min(start + AT_ONCE, size // COPIES)))
            done = size // COPIES
            await books.observer.execute("analyze")  # autovacuum does, in a database that lives
            file.flush()
            shutil.copyfile(history, first)
            with first.open("ab") as copy:
                copy.write(encode(End(0)) + b"\n")
            peaks.append(peak_of_check(first, size, dsn))
    few, many = peaks
    assert many - few < CACHE_KIB + MARGIN_KIB
