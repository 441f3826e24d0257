"""Random batches by ledger.post_payments, held against the same payments one by one.

What is posted in sets may get its place in an account's history before what is posted one by one;
what is accepted and what is refused is the same, item by item.
"""

from __future__ import annotations

import asyncio
import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.databases import Database

if TYPE_CHECKING:
    from support.databases import Connection
    from support.servers import Server

EXAMPLES = int(os.environ.get("PAYLEDGER_TEST_EXAMPLES", "60"))
HUGE = 6 * 10**37  # twice is too much

codes = st.sampled_from([*"abcdef"] * 4 + ["closed", "nobody"])
amounts = st.sampled_from([*range(1, 9)] * 4 + [30, 60, 0, HUGE])
currencies = st.sampled_from(["USD"] * 12 + ["EUR"])


@st.composite
def _payments(draw: st.DrawFn) -> dict[str, Any]:
    """Mostly simple ones; keys are few enough to meet again."""
    payment: dict[str, Any] = {"idempotency_key": f"k{draw(st.integers(0, 60))}"}
    posting = st.fixed_dictionaries(
        {"from": codes, "to": codes, "amount": amounts, "currency": currencies}
    )
    if draw(st.integers(0, 19)) == 0:
        payment["postings"] = draw(st.lists(posting, min_size=1, max_size=3))
    else:
        payment |= draw(posting)
    if draw(st.integers(0, 4)) == 0:
        payment["description"] = draw(st.sampled_from(["rent"] * 9 + ["", "x" * 1001]))
    if draw(st.integers(0, 4)) == 0:
        payment["metadata"] = draw(st.sampled_from([{}, {"a": 1}] * 5 + [[]]))
    return payment


limits = st.tuples(
    st.sampled_from([None, -100, 0, 0, 20]), st.sampled_from([None, None, 50, 10**38 - 1])
)
accounts = st.fixed_dictionaries(dict.fromkeys("abcdef", limits))
# Ten, then nine beside a retry.
IN_SETS: list[list[dict[str, Any]]] = [
    [
        {"idempotency_key": f"k{key}", "from": "a", "to": "b", "amount": 1, "currency": "USD"}
        for key in keys
    ]
    for keys in (range(10), range(9, 19))
]
batches = st.lists(st.lists(_payments(), min_size=1, max_size=10), min_size=1, max_size=3)


def test_a_batch_accepts_and_refuses_what_one_by_one_does(
    server: Server, shared_database: str
) -> None:
    database = Database(server, shared_database)
    with asyncio.Runner() as runner:
        con = runner.run(database.connect("postgres"))
        in_sets = 0

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            print_blob=True,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(accounts=accounts, batches=batches)
        @example(accounts=dict.fromkeys("abcdef", (0, None)), batches=IN_SETS)
        def compare(
            accounts: dict[str, tuple[int | None, int | None]],
            batches: list[list[dict[str, Any]]],
        ) -> None:
            nonlocal in_sets
            in_sets += runner.run(_compare(con, database, accounts, batches))

        try:
            compare()
        finally:
            runner.run(database.close())
    assert in_sets > EXAMPLES // 4  # IN_SETS are; or the comparison was of one path with itself


async def _compare(
    con: Connection,
    database: Database,
    accounts: dict[str, tuple[int | None, int | None]],
    batches: list[list[dict[str, Any]]],
) -> int:
    """How many payments were posted in sets."""
    whole, single = [await _open(con, accounts) for _ in range(2)]
    in_sets = 0
    for batch in batches:
        together = await _post(con, whole, batch)
        one_by_one = [(await _post(con, single, [payment]))[0] for payment in batch]
        assert together == one_by_one
        in_sets += await con.fetchval(
            # What is posted in one call in sets has one posting time.
            "select coalesce(sum(n), 0) from (select count(*) n from ledger.payments"
            " where ledger_id = $1 group by posted_at having count(*) > 1) same",
            whole,
        )
    for code in accounts:
        sql = "select balance, version from ledger.get_balance($1, $2)"
        assert await con.fetchrow(sql, code, whole) == await con.fetchrow(sql, code, single)
    for ledger_id in (whole, single):
        assert await database.breaches(ledger_id) == []
    return in_sets


async def _open(con: Connection, accounts: dict[str, tuple[int | None, int | None]]) -> int:
    """A ledger in which every account but one has 20 USD."""
    ledger_id: int = await con.fetchval(
        "select ledger_id from ledger.create_ledger("
        "'batch-' || (select max(ledger_id) from ledger.ledgers))"
    )
    create = "select ledger.create_account($1, $2, 'liability', $3, $4, p_ledger_id => $5)"
    await con.execute(create, "world", "USD", None, None, ledger_id)
    await con.execute(create, "closed", "USD", None, None, ledger_id)
    await con.execute(
        "select ledger.set_account_status('closed', 'closed', p_ledger_id => $1)", ledger_id
    )
    for code, (least, most) in accounts.items():
        await con.execute(create, code, "USD", _decimal(least), _decimal(most), ledger_id)
        await con.execute(
            "select ledger.require_posted(ledger.post_payment("
            "'fund-' || $1, 'world', $1, 20, 'USD', p_ledger_id => $2))",
            code,
            ledger_id,
        )
    return ledger_id


async def _post(
    con: Connection, ledger_id: int, batch: list[dict[str, Any]]
) -> list[tuple[object, ...]]:
    """(item's outcome, code, replayed, what it says of the amounts), item by item."""
    rows = await con.fetch(
        "select outcome, code, replayed, body::text from ledger.post_payments($1, $2)",
        json.dumps(batch),
        ledger_id,
    )
    return [
        (
            row["outcome"],
            row["code"],
            row["replayed"],
            [
                (entry["account"], entry["amount"])
                for entry in json.loads(row["body"]).get("entries", ())
            ],
        )
        for row in rows
    ]


def _decimal(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number)
