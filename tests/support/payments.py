"""Payments and accounts in few words, for tests of what happens between transactions."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from support.databases import Connection, Database

COLUMNS = "outcome, code, replayed, payment_id, body::text as body"


@dataclass(frozen=True)
class Result:
    """ledger.payment_result."""

    outcome: str
    code: str | None
    replayed: bool
    payment_id: object
    body: str

    @property
    def versions(self) -> dict[str, int]:
        """The version each account got."""
        return {entry["account"]: entry["version"] for entry in json.loads(self.body)["entries"]}


@dataclass
class Ledger:
    """A ledger of the test's own, and sessions that use it."""

    database: Database
    observer: Connection  # a superuser's, for set-up and for looking on
    id: int

    async def connect(self, user: str = "payledger_service", **settings: str) -> Connection:
        return await self.database.connect(user, **settings)

    async def open(self, code: str, balance: int = 0, *, minimum: int | None = 0) -> None:
        """An account in USD that holds `balance`, from an account `world` without a minimum."""
        for name, least in (("world", None), (code, minimum)):
            await self.observer.execute(
                "select ledger.create_account($1, 'USD', p_min_balance => $2, p_ledger_id => $3)",
                name,
                None if least is None else Decimal(least),
                self.id,
            )
        if balance:
            funded = await self.pay(self.observer, f"fund-{code}", "world", code, balance)
            assert funded.outcome == "posted"

    async def pay(
        self,
        con: Connection,
        key: str,
        from_: str,
        to: str,
        amount: int,
        description: str | None = None,
    ) -> Result:
        """ledger.post_payment in USD."""
        row = await con.fetchrow(
            f"select {COLUMNS} from ledger.post_payment("
            "$1, $2, $3, $4, 'USD', $5, p_ledger_id => $6)",
            key,
            from_,
            to,
            Decimal(amount),
            description,
            self.id,
        )
        assert row is not None
        return Result(*row)

    async def pay_many(
        self, con: Connection, payments: list[dict[str, Any]], *, wait: bool = True
    ) -> list[Result]:
        """ledger.post_payments; USD unless said otherwise."""
        rows = await con.fetch(
            f"select {COLUMNS} from ledger.post_payments($1, $2, $3) order by item",
            json.dumps(
                [
                    payment if "postings" in payment else {"currency": "USD"} | payment
                    for payment in payments
                ]
            ),
            self.id,
            wait,
        )
        return [Result(*row) for row in rows]

    async def balance(self, code: str) -> tuple[int, int]:
        """(balance, version), as committed."""
        sql = "select balance, version from ledger.get_balance($1, $2)"
        row = await self.observer.fetchrow(sql, code, self.id)
        assert row is not None
        return int(row["balance"]), row["version"]

    async def keys(self) -> int:
        """How many keys have an outcome, those of the accounts' funds left out."""
        sql = (
            "select count(*) from ledger.idempotency_keys"
            " where ledger_id = $1 and key not like 'fund-%'"
        )
        return int(await self.observer.fetchval(sql, self.id))


def item(key: str, from_: str, to: str, amount: int) -> dict[str, Any]:
    """A payment for pay_many."""
    return {"idempotency_key": key, "from": from_, "to": to, "amount": amount}


_started: set[asyncio.Task[Any]] = set()


def start(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Runs it while the test does something else."""
    task = asyncio.ensure_future(coroutine)
    _started.add(task)
    return task


async def new_ledger(database: Database) -> Ledger:
    """One that no other test has."""
    observer = await database.connect("postgres")
    name = f"test-{secrets.token_hex(8)}"
    ledger_id = await observer.fetchval("select ledger_id from ledger.create_ledger($1)", name)
    return Ledger(database, observer, ledger_id)


async def end_started() -> None:
    """What a failed test has left running would otherwise fail later, in the middle of another."""
    for task in _started:
        task.cancel()
    await asyncio.gather(*_started, return_exceptions=True)
    _started.clear()
