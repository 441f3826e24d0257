"""A small history and the ledger that it is true of, for tests that make one of the two false."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from loadgen.journal.records import (
    Answered,
    Begin,
    End,
    Entry,
    Invoke,
    Lost,
    Mark,
    Served,
    encode,
)

if TYPE_CHECKING:
    from pathlib import Path

    from support.databases import Connection

SECOND = 1_000_000
STATUS = {"posted": 201, "rejected": 422, "conflict": 422, "invalid": 400}


@dataclass
class MadeHistory:
    """Posts by SQL and writes down what an honest service would have answered."""

    connection: Connection
    ledger_id: int
    ledger: str
    lines: list[Entry] = field(default_factory=list)
    at: int = 0
    attempts: int = 0
    requests: int = 0

    def now(self) -> int:
        """Every look at the clock finds it a second later."""
        self.at += SECOND
        return self.at

    def invoke(self, key: str, body: str, request: int | None = None) -> Invoke:
        self.attempts += 1
        self.requests += request is None
        invoke = Invoke(self.attempts, self.now(), request or self.requests, key, body)
        self.lines.append(invoke)
        return invoke

    def lost(self, invoke: Invoke, why: str = "timeout") -> None:
        self.lines.append(Lost(invoke.n, self.now(), why))

    async def answer(self, invoke: Invoke) -> Answered:
        """What the service would answer now."""
        found = await self.post(invoke)
        posted = found["outcome"] == "posted"
        payment = found["payment_id"]
        tokens: dict[str, int] = {}
        if posted:
            for entry in json.loads(found["body"])["entries"]:
                tokens[entry["account"]] = max(entry["version"], tokens.get(entry["account"], 0))
        answered = Answered(
            invoke.n,
            self.now(),
            STATUS[found["outcome"]],
            found["body"],
            found["replayed"],
            f'"{payment}"' if posted else None,
            "application/json" if posted else "application/problem+json",
            f"/v1/ledgers/{self.ledger}/payments/{payment}" if posted else None,
            ", ".join(f"{code}={version}-e" for code, version in tokens.items()),
        )
        self.lines.append(answered)
        return answered

    async def post(self, invoke: Invoke) -> Any:
        """Post a request by SQL, whatever the history says of it."""
        body = json.loads(invoke.body)
        step = {name: body[name] for name in ("from", "to", "amount", "currency")}
        return await self.connection.fetchrow(
            "select outcome, replayed, payment_id, body::text"
            " from ledger.post_compound_payment($1, $2::jsonb, $3, $4::jsonb, p_ledger_id => $5)",
            invoke.key,
            json.dumps([step]),
            body.get("description"),
            json.dumps(body.get("metadata", {})),
            self.ledger_id,
        )

    async def pay(self, key: str, source: str, target: str, amount: int, **more: Any) -> Answered:
        return await self.answer(self.invoke(key, request(source, target, amount, **more)))

    def read(
        self, account: str, version: int, balance: int, *, session: int = 0, token: str = ""
    ) -> None:
        amounts = {"balance": str(balance), "held": "0", "available": str(balance)}
        body = {"account": account, "currency": "USD", "version": version} | amounts
        self.lines.append(
            Served(
                self.now(),
                self.now(),
                session,
                account,
                200,
                json.dumps(body),
                token,
                f'"{version}-e"',
                "l1",
            )
        )

    def mark(self, event: str, within: float = 0.0) -> None:
        self.lines.append(Mark(self.now(), "postgres_killed", event, 1, 1, within))


def request(source: str, target: str, amount: int, **more: Any) -> str:
    return json.dumps(
        {"from": source, "to": target, "amount": str(amount), "currency": "USD"} | more
    )


async def make_history(connection: Connection) -> MadeHistory:
    """A ledger of its own with a bit of everything in it, and its true history."""
    name = f"check-{secrets.token_hex(8)}"
    ledger_id = await connection.fetchval("select ledger_id from ledger.create_ledger($1)", name)
    for code, least in (("t:world", None), ("t:a", 0), ("t:b", 0), ("t:unused", 0)):
        await connection.execute(
            "select ledger.create_account($1, 'USD', p_min_balance => $2, p_ledger_id => $3)",
            code,
            None if least is None else Decimal(least),
            ledger_id,
        )
    made = MadeHistory(connection, ledger_id, name, [Begin(1, "made", 7, name, "t:")])
    made.read("t:a", 0, 0)
    await made.pay("p1", "t:world", "t:a", 500, description="é", metadata={"n": [1, None]})
    await made.pay("p1", "t:world", "t:a", 500, description="é", metadata={"n": [1, None]})
    made.read("t:a", 1, 500)
    await made.pay("p2", "t:a", "t:b", 100)
    made.read("t:b", 1, 100, session=1, token="1-e")
    await made.pay("p2", "t:a", "t:b", 999)  # a conflict
    await made.pay("p3", "t:b", "t:a", 30)
    made.read("t:b", 2, 70, session=1, token="1-e")
    await made.pay("r1", "t:a", "t:b", 10**20)
    await made.pay("r1", "t:a", "t:b", 10**20)
    await made.pay("i1", "t:a", "t:b", 0)
    made.mark("start")
    first = made.invoke("u1", request("t:a", "t:b", 5))
    await made.post(first)
    made.lost(first)
    made.mark("heal", within=10)
    await made.answer(made.invoke("u1", request("t:a", "t:b", 5), first.request))
    await made.pay("p4", "t:a", "t:b", 7)
    made.lines.append(End(made.now()))
    return made


def write(lines: list[Entry], path: Path) -> Path:
    path.write_bytes(b"".join(encode(line) + b"\n" for line in lines))
    return path
