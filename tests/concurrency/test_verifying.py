"""Verifying random books, also while they are written: no breach is ever a false one."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.databases import Connection, Database


class Clerk:
    """Does at random whatever callers may do, in a ledger whose keys are kept or purged."""

    def __init__(self, con: Connection, ledger_id: int, seed: float) -> None:
        self.con = con
        self.ledger_id = ledger_id
        self.random = random.Random(seed)
        self.codes = [f"{('USD', 'EUR')[n % 2]}:{n}" for n in range(8)]

    async def open(self) -> None:
        for code in ["USD:world", "EUR:world", *self.codes]:
            await self.call(
                "create_account($1, left($1, 3), p_min_balance => $2, p_ledger_id => $3)",
                code,
                None if code.endswith("world") else 0,
            )

    async def act(self) -> None:
        act, code = self.random.random(), self.random.choice(self.codes)
        match int(act * 20):
            case 0:
                limits = sorted(self.random.sample(range(-50, 2000), 2))
                await self.call("set_account_limits($1, $2, $3, $4)", code, *limits)
            case 1:
                await self.call(
                    "set_account_status($1, $2, $3)", code, self.random.choice(["frozen", "open"])
                )
            case 2:
                name = f"{code}:{self.random.randrange(10**6)}"
                self.codes.append(name)
                await self.call("create_account($1, left($1, 3), p_ledger_id => $2)", name)
            case 3 | 4 | 5 | 6:
                postings = [self.posting() for _ in range(self.random.randrange(1, 5))]
                await self.call(
                    "post_compound_payment($1, $2, 'several', p_ledger_id => $3)",
                    self.key(),
                    json.dumps(postings),
                )
            case 7 | 8 | 9:
                payments = [{"idempotency_key": self.key()} | self.posting() for _ in range(9)]
                await self.call("post_payments($1, $2)", json.dumps(payments))
            case 10:
                await self.con.execute("begin")
                await self.pay()
                await self.con.execute("rollback")
            case _:
                await self.pay()

    async def pay(self) -> None:
        posting = self.posting()
        await self.call(
            "post_payment($1, $2, $3, $4, $5, p_ledger_id => $6)",
            self.key(),
            posting["from"],
            posting["to"],
            int(posting["amount"]),
            posting["currency"],
        )

    async def call(self, function: str, *arguments: object) -> None:
        await self.con.fetch(f"select ledger.{function}", *arguments, self.ledger_id)

    def key(self) -> str:
        return f"k{self.random.randrange(2000)}"

    def posting(self) -> dict[str, str]:
        currency = self.random.choice(["USD", "EUR"])
        mine = [code for code in self.codes if code.startswith(currency)]
        from_, to = self.random.sample([f"{currency}:world", *mine], 2)
        amount = str(self.random.randrange(1, 200))
        return {"from": from_, "to": to, "amount": amount, "currency": currency}


async def breaches(con: Connection, slices: int = 1) -> list[str]:
    """What verify_ledger finds, in so many slices."""
    found: list[str] = []
    for number in range(1, slices + 1):
        sql = "select v::text from ledger.verify_ledger(null, $1, $2) v"
        found += [row[0] for row in await con.fetch(sql, number, slices)]
    return found


async def open_ledgers(con: Connection) -> tuple[int, int]:
    """One that keeps its keys, one that does not."""
    other = await con.fetchval("select ledger_id from ledger.create_ledger('short', '1 hour')")
    for ledger_id in (1, other):
        await Clerk(con, ledger_id, 0).open()
    return 1, other


async def expire(con: Connection, ledger_id: int) -> None:
    """Makes a few keys of the ledger old enough to be purged, and purges them."""
    async with con.transaction():
        await con.execute("alter table ledger.idempotency_keys disable trigger refuse_change")
        await con.execute(
            "update ledger.idempotency_keys set created_at = created_at - interval '2 hours'"
            " where ledger_id = $1 and key ~ '7$'",
            ledger_id,
        )
        await con.execute("alter table ledger.idempotency_keys enable always trigger refuse_change")
        await con.execute("select ledger.purge_idempotency_keys(p_ledger_id => $1)", ledger_id)


async def test_after_random_work_the_books_are_sound(database: Database) -> None:
    seed = random.random()
    print(f"seed {seed}")  # noqa: T201 -- shown when the test fails
    con = await database.connect("postgres")
    for ledger_id in await open_ledgers(con):
        clerk = Clerk(con, ledger_id, seed)
        for _ in range(300):
            await clerk.act()
    # Frozen accounts and low limits refuse much, more or less of it by the seed.
    assert await con.fetchval("select count(*) from ledger.payments") > 50
    await expire(con, 2)
    sql = "select count(*) from ledger.payments p where ledger_id = 2 and not exists"
    sql += " (select from ledger.idempotency_keys k where k.payment_id = p.payment_id)"
    assert await con.fetchval(sql) > 0
    assert await breaches(con) == []
    assert await breaches(con, 7) == []


async def test_while_others_post_no_breach_is_false(database: Database) -> None:
    """Payments, new accounts, limits, statuses, purges, rollbacks: whole in a snapshot or not."""
    seed = random.random()
    print(f"seed {seed}")  # noqa: T201 -- shown when the test fails
    verifier = await database.connect("postgres")
    ledgers = await open_ledgers(verifier)
    done = asyncio.Event()
    acts = Counter[int]()

    async def work(number: int) -> None:
        con = await database.connect("postgres")
        clerk = Clerk(con, ledgers[number % 2], seed + number)
        while not done.is_set():
            await clerk.act()
            acts[number] += 1

    async def purge() -> None:
        con = await database.connect("postgres")
        while not done.is_set():
            await expire(con, ledgers[1])
            await con.execute("select * from ledger.maintain_partitions()")

    workers = [asyncio.ensure_future(work(number)) for number in range(4)]
    workers.append(asyncio.ensure_future(purge()))
    try:
        rounds = 0
        while rounds < 12 or sum(acts.values()) < 400:
            assert await breaches(verifier) == []
            assert await breaches(verifier, 3) == []
            async with verifier.transaction(isolation="repeatable_read", readonly=True):
                assert await breaches(verifier, 2) == []
            rounds += 1
    finally:
        done.set()
        await asyncio.gather(*workers)
    assert min(acts.values()) > 10
    assert await breaches(verifier) == []
