"""A negative control with the real database: what a superuser spoils is found out."""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING

import asyncpg
from rich.console import Console

from loadgen.run import Run, RunOptions
from loadgen.stack import Stack

if TYPE_CHECKING:
    from loadgen.result import Result


async def run(stack: Stack, run_id: str) -> Result:
    options = RunOptions(seed=1, run_id=run_id, rate=100, seconds=1, clients=16, accounts=20)
    return await Run(options, stack.target, None, Console(file=io.StringIO()))()


async def spoil(stack: Stack, account: str) -> None:
    """Give an account money that no entry tells of."""
    running = json.loads((stack.state_dir / "running.json").read_text())
    password = (stack.state_dir / "passwords" / "postgres").read_text().strip()
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=running["postgres_port"],
        user="postgres",
        password=password,
        database="payledger",
    )
    status = await connection.execute(
        "update ledger.accounts set balance = balance + 1 where code = $1", account
    )
    await connection.close()
    assert status == "UPDATE 1"


async def test_a_spoilt_balance_is_found_by_the_run_it_belongs_to_and_by_any_other() -> None:
    async with Stack() as stack:
        sound = await run(stack, "one")
        await spoil(stack, "load:one:hot")
        again = await run(stack, "one")
        other = await run(stack, "two")
        await asyncio.wait_for(stack.stop(), 60)

    assert (sound.verdict, sound.evidence) == ("sound", [])
    assert sound.checked.verify_ledger
    # The API's answers alone show it where the account is used ...
    assert again.verdict == "broken"
    assert "broken_chain" in again.breaches
    # ... and verify_ledger wherever it is.
    assert other.verdict == "broken"
    assert all(rule.startswith("verify_ledger: ") for rule in other.breaches)
