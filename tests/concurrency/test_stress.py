"""Eight sessions, few accounts, random payments of every kind; then every book is balanced."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

from support.payments import Result, item

if TYPE_CHECKING:
    from support.databases import Connection
    from support.payments import Ledger

SESSIONS = 8
STEPS = int(os.environ.get("PAYLEDGER_TEST_STRESS_STEPS", "60"))
CODES = [f"a{n}" for n in range(6)]


async def test_random_payments_by_eight_sessions_leave_sound_books(ledger: Ledger) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 -- shown when the test fails
    for code in CODES:
        await ledger.open(code, 40)
    sessions = [await ledger.connect() for _ in range(SESSIONS)]
    answers: dict[str, list[Result]] = {}

    async def work(number: int, con: Connection) -> None:
        rng = random.Random(seed + number)

        def steps(count: int) -> list[tuple[str, str, int]]:
            pairs = (rng.sample(CODES, 2) for _ in range(count))
            return [(from_, to, rng.randrange(1, 60)) for from_, to in pairs]

        for _ in range(STEPS):
            # Few keys, each with its own content most of the time: duplicates and conflicts race.
            keys = [f"k{rng.randrange(150)}" for _ in range(3)]
            payments = []
            for key in keys:
                content = random.Random(key if rng.random() < 0.9 else rng.random())
                from_, to = content.sample(CODES, 2)
                payments.append(item(key, from_, to, content.randrange(1, 60)))
            match rng.randrange(4):
                case 0:
                    results = await ledger.pay_many(con, payments, wait=rng.random() < 0.5)
                case 1:
                    await con.execute("begin")
                    lost = await ledger.pay(con, keys[0], *steps(1)[0])
                    assert lost.outcome in ("posted", "rejected", "conflict")
                    await con.execute("rollback")
                    continue
                case 2:
                    keys, first = keys[:1], payments[0]
                    results = [
                        await ledger.pay(con, keys[0], first["from"], first["to"], first["amount"])
                    ]
                case _:
                    postings = [
                        {"from": f, "to": t, "amount": n, "currency": "USD"} for f, t, n in steps(4)
                    ]
                    keys = [f"c{rng.random()}"]
                    compound = {"idempotency_key": keys[0], "postings": postings}
                    results = await ledger.pay_many(con, [compound])
            for key, result in zip(keys, results, strict=True):
                assert result.outcome in ("posted", "rejected", "conflict", "busy"), result
                if result.outcome in ("posted", "rejected"):
                    answers.setdefault(key, []).append(result)

    await asyncio.gather(*(work(number, con) for number, con in enumerate(sessions)))

    assert len(answers) > STEPS
    for key, results in answers.items():
        assert len({result.body for result in results}) == 1, f"{key} had two answers"
        assert sum(not result.replayed for result in results) == 1, f"{key} was posted twice"
    posted = {results[0].payment_id for results in answers.values()} - {None}
    sql = "select count(*) from ledger.payments where ledger_id = $1"
    assert await ledger.observer.fetchval(sql, ledger.id) == len(posted) + len(CODES)
