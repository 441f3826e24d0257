"""`python -m bench.check_history --payments 200000`: what checking a history takes.

Prints the attempts, the seconds and the peak memory of `loadgen check`, on a history in which every
payment was sent three times. The memory is to be the same however many there are.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import asyncpg

from bench.tools.lab import temporary_home
from loadgen.journal.records import Answered, Begin, End, Invoke, encode
from service.database.migrations import migrate
from service.embedded import EmbeddedPostgres

ACCOUNTS = 1000
AT_ONCE = 5_000

PAY = """
select key, source, target, (result).body::text as body, (result).payment_id::text as payment
from (
  select
    'k' || n as key, 'h:' || n % $3 as source, 'h:' || (n * 7 + 1) % $3 as target,
    ledger.post_payment('k' || n, 'h:' || n % $3, 'h:' || (n * 7 + 1) % $3, 1, 'USD') as result
  from generate_series($1::int, $2::int) as n
  where n % $3 <> (n * 7 + 1) % $3
  offset 0
) posted
"""


def main() -> int:
    """Makes a ledger and its history, and checks one against the other."""
    parser = argparse.ArgumentParser(prog="python -m bench.check_history", description=__doc__)
    parser.add_argument("--payments", type=int, default=200_000)
    payments = parser.parse_args().payments
    with temporary_home() as home:
        settings = {"fsync": "off", "shared_buffers": "512MB"}
        with EmbeddedPostgres(home / "state", settings=settings) as server:
            asyncio.run(migrate(server.dsn("payledger_migrator")))
            server.grant_roles()
            history = home / "history.jsonl"
            attempts = asyncio.run(_make(server.dsn("payledger_migrator"), history, payments))
            command = [sys.executable, "-m", "loadgen", "check", str(history)]
            start = time.perf_counter()
            child = subprocess.Popen([*command, "--dsn", server.dsn("payledger_migrator")])
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - start
            print(
                f"{attempts:,} attempts, {history.stat().st_size / 1e6:,.0f} MB of history:"
                f" {seconds:.1f} s, {attempts / seconds:,.0f} attempts a second,"
                f" {usage.ru_maxrss / 1024:.0f} MB of memory at most"
            )
            return child.returncode


async def _make(dsn: str, history: Path, payments: int) -> int:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "select ledger.create_account('h:' || n, 'USD', p_min_balance => null)"
        f" from generate_series(0, {ACCOUNTS} - 1) as n"
    )
    n = 0
    with history.open("wb") as file:
        file.write(encode(Begin(1, "bench", 1, "main", "h:")) + b"\n")
        for start in range(1, payments + 1, AT_ONCE):
            end = min(start + AT_ONCE - 1, payments)
            for row in await connection.fetch(PAY, start, end, ACCOUNTS):
                body = (
                    f'{{"from":"{row["source"]}","to":"{row["target"]}",'
                    '"amount":"1","currency":"USD"}'
                )
                for copy in range(3):
                    n += 1
                    location = f"/v1/ledgers/main/payments/{row['payment']}"
                    file.write(encode(Invoke(n, n * 10, n, row["key"], body)) + b"\n")
                    answer = Answered(
                        n,
                        n * 10 + 5,
                        201,
                        row["body"],
                        copy > 0,
                        f'"{row["payment"]}"',
                        "application/json",
                        location,
                    )
                    file.write(encode(answer) + b"\n")
        file.write(encode(End(n * 10 + 9)) + b"\n")
    await connection.close()
    return n


if __name__ == "__main__":
    sys.exit(main())
