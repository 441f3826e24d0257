"""Random histories of a ledger, each step held against a model in Python.

PAYLEDGER_TEST_EXAMPLES sets how many histories; a failure prints the shortest one that shows it.
"""

from __future__ import annotations

import asyncio
import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from support.databases import Database
from support.model import LARGEST, Account, Answer, Entry, Model, Payment, Posting

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from support.databases import Connection
    from support.servers import Server

EXAMPLES = int(os.environ.get("PAYLEDGER_TEST_EXAMPLES", "30"))
STEPS = 40

CODES = ["a", "b", "c", "a:1", "z"]
codes = st.sampled_from(CODES)
keys = st.integers(0, 30).map("k{}".format)
limits = st.none() | st.sampled_from([-100, 0, 0, 0, 50, 10**38 - 1])
amounts = st.integers(1, 60) | st.sampled_from([0, -1, LARGEST, LARGEST + 1, LARGEST // 2])
currencies = st.sampled_from(["USD"] * 9 + ["EUR"])
postings = st.builds(Posting, codes, codes, amounts, currencies)
sound_postings = st.builds(
    Posting, st.sampled_from(["a", "b", "z"]), st.sampled_from(["c", "a:1"]), st.integers(1, 30)
)
payments = st.builds(
    Payment,
    st.one_of(
        st.tuples(sound_postings),
        st.tuples(postings),
        st.lists(postings, min_size=1, max_size=4).map(tuple),
        st.lists(sound_postings, min_size=2, max_size=4).map(tuple),
    ),
    st.none() | st.sampled_from(["rent", ""]),
)


class LedgerMachine(RuleBasedStateMachine):
    """One ledger and its model."""

    def __init__(self, runner: asyncio.Runner, con: Connection, database: Database) -> None:
        super().__init__()
        self.runner, self.con, self.database = runner, con, database
        self.model = Model()
        self.bodies: dict[str, str] = {}
        self.ledger_id = self.run(
            con.fetchval(
                "select ledger_id from ledger.create_ledger("
                "'machine-' || (select max(ledger_id) from ledger.ledgers))"
            )
        )
        # Most histories need money to come from somewhere.
        self.create("z", Account("USD", None, None))
        self.create("a", Account("USD", 0, None))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    # -- rules -------------------------------------------------------------------------------

    @rule(code=codes, account=st.builds(Account, currencies, limits, limits))
    def create(self, code: str, account: Account) -> None:
        least, most = account.min_balance, account.max_balance
        if least is not None and most is not None and least > most:
            expected = "limits_invalid"
        else:
            expected = self.model.create(code, account)
        sql = (
            "select created from ledger.create_account("
            "$1, $2, p_min_balance => $3, p_max_balance => $4, p_ledger_id => $5)"
        )
        numbers = [decimal(least), decimal(most)]
        found = self.call(sql, code, account.currency, *numbers, self.ledger_id)
        assert found == {"created": True, "existing": False}.get(expected, expected)

    @rule(key=keys, payment=payments)
    def pay(self, key: str, payment: Payment) -> None:
        self.check(key, self.model.post(key, payment), self.post(key, payment))

    @rule(batch=st.lists(st.tuples(keys, payments), max_size=6))
    def pay_many(self, batch: list[tuple[str, Payment]]) -> None:
        expected = [self.model.post(key, payment) for key, payment in batch]
        found = self.post_batch(batch)
        for (key, _), answer, row in zip(batch, expected, found, strict=True):
            self.check(key, answer, row)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), batched=st.booleans())
    def retry(self, data: st.DataObject, batched: bool) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.keys)))
        payment = self.model.keys[key][0]
        found = self.post_batch([(key, payment)])[0] if batched else self.post(key, payment)
        self.check(key, self.model.post(key, payment), found)

    @precondition(lambda self: self.model.keys)
    @rule(data=st.data(), payment=payments)
    def reuse_key(self, data: st.DataObject, payment: Payment) -> None:
        key = data.draw(st.sampled_from(sorted(self.model.keys)))
        self.check(key, self.model.post(key, payment), self.post(key, payment))

    @rule(key=keys, payment=payments)
    def pay_and_roll_back(self, key: str, payment: Payment) -> None:
        self.run(self.con.execute("begin"))
        self.post(key, payment)
        self.run(self.con.execute("rollback"))

    @precondition(lambda self: self.model.accounts)
    @rule(data=st.data(), status=st.sampled_from(["open", "open", "frozen", "closed"]))
    def set_status(self, data: st.DataObject, status: str) -> None:
        code = data.draw(st.sampled_from(sorted(self.model.accounts)))
        found = self.call(
            "select 'ok' from ledger.set_account_status($1, $2, $3)", code, status, self.ledger_id
        )
        assert found == self.model.set_status(code, status)

    @precondition(lambda self: self.model.accounts)
    @rule(data=st.data(), least=limits, most=limits)
    def set_limits(self, data: st.DataObject, least: int | None, most: int | None) -> None:
        code = data.draw(st.sampled_from(sorted(self.model.accounts)))
        sql = "select 'ok' from ledger.set_account_limits($1, $2, $3, $4)"
        found = self.call(sql, code, decimal(least), decimal(most), self.ledger_id)
        assert found == self.model.set_limits(code, least, most)

    def teardown(self) -> None:
        """The accounts are the model's, every key answers as it did, the books are sound."""
        sql = "select * from ledger.list_accounts(p_ledger_id => $1)"
        rows = self.run(self.con.fetch(sql, self.ledger_id))
        found = {
            row["code"]: Account(
                row["currency"],
                integer(row["min_balance"]),
                integer(row["max_balance"]),
                row["status"],
                int(row["balance"]),
                row["version"],
            )
            for row in rows
        }
        assert found == self.model.accounts
        for key, body in self.bodies.items():
            sql = "select body::text from ledger.find_payment_by_key($1, $2)"
            assert self.run(self.con.fetchval(sql, key, self.ledger_id)) == body
        assert self.run(self.database.breaches(self.ledger_id)) == []

    # -- the ledger --------------------------------------------------------------------------

    def post(self, key: str, payment: Payment) -> asyncpg.Record:
        """By post_payment where there is one posting, so that both functions are met."""
        arguments: list[object]
        if len(payment.postings) == 1:
            (posting,) = payment.postings
            call = "post_payment($1, $2, $3, $4, $5, $6, p_ledger_id => $7)"
            arguments = [posting.from_, posting.to, Decimal(posting.amount), posting.currency]
        else:
            call = "post_compound_payment($1, $2, $3, p_ledger_id => $4)"
            arguments = [json.dumps([as_json(posting) for posting in payment.postings])]
        sql = f"select outcome, code, replayed, body::text from ledger.{call}"
        arguments = [key, *arguments, payment.description, self.ledger_id]
        row: asyncpg.Record = self.run(self.con.fetchrow(sql, *arguments))
        return row

    def post_batch(self, batch: list[tuple[str, Payment]]) -> list[asyncpg.Record]:
        items = [
            {
                "idempotency_key": key,
                "postings": [as_json(posting) for posting in payment.postings],
                "description": payment.description,
            }
            for key, payment in batch
        ]
        sql = "select outcome, code, replayed, body::text from ledger.post_payments($1, $2)"
        rows: list[asyncpg.Record] = self.run(
            self.con.fetch(sql, json.dumps(items), self.ledger_id)
        )
        return rows

    def call(self, sql: str, *arguments: object) -> object:
        """The value, or the code of what is raised."""
        try:
            return self.run(self.con.fetchval(sql, *arguments))
        except asyncpg.PostgresError as error:
            return json.loads(error.detail or "null")["code"]

    def check(self, key: str, expected: Answer, row: asyncpg.Record) -> None:
        body = json.loads(row["body"])
        entries = tuple(
            Entry(e["account"], int(e["amount"]), int(e["balance_after"]), e["version"])
            for e in body.get("entries", ())
        )
        assert Answer(row["outcome"], row["code"], row["replayed"], entries) == expected
        if expected.outcome in ("posted", "rejected"):
            assert self.bodies.setdefault(key, row["body"]) == row["body"]


def as_json(posting: Posting) -> dict[str, str]:
    return {
        "from": posting.from_,
        "to": posting.to,
        "amount": str(posting.amount),
        "currency": posting.currency,
    }


def decimal(number: int | None) -> Decimal | None:
    return None if number is None else Decimal(number)


def integer(number: Decimal | None) -> int | None:
    return None if number is None else int(number)


@pytest.mark.timeout(400)  # looking for the shortest history that fails takes up to five minutes
def test_the_ledger_does_what_the_model_does(server: Server, shared_database: str) -> None:
    database = Database(server, shared_database)
    with asyncio.Runner() as runner:
        con = runner.run(database.connect("postgres"))
        try:
            run_state_machine_as_test(
                cast("type[LedgerMachine]", lambda: LedgerMachine(runner, con, database)),
                settings=settings(
                    max_examples=EXAMPLES,
                    stateful_step_count=STEPS,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow],
                    print_blob=True,
                ),
            )
        finally:
            runner.run(database.close())
