"""docker-compose.yml on a real engine, for those who ask for it: PAYLEDGER_TEST_COMPOSE=1."""

from __future__ import annotations

import itertools
import os
import re
import sys
from typing import TYPE_CHECKING

import pytest
from support.compose import Stack, engine_problem

from service.embedded.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.answers import Answer

MAIN = "/v1/ledgers/main"
PATIENCE_SECONDS = 90.0  # before the test gives up


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    if not os.environ.get("PAYLEDGER_TEST_COMPOSE"):
        pytest.skip("builds and starts containers only where PAYLEDGER_TEST_COMPOSE=1 asks for it")
    if problem := engine_problem():
        pytest.skip(f"PAYLEDGER_TEST_COMPOSE: {problem}")
    stack = Stack(tmp_path)
    try:
        yield stack
        sys.stdout.write(stack.compose("ps", "--all") + stack.compose("logs", "--tail=40"))
    finally:
        stack.down()


@pytest.mark.timeout(1800)
def test_the_stack_pays_outlives_a_killed_database_and_stops_in_order(stack: Stack) -> None:
    stack.start()
    running = ("running", "healthy", 0)
    services = ("postgres", "migrate", "valkey", "service")
    assert {name: stack.state(name) for name in services} == {
        "postgres": running,
        "migrate": ("exited", None, 0),
        "valkey": running,
        "service": running,
    }

    words = ("run", "--rm", "migrate", "keys", "create", "my app")
    stack.key = stack.compose(*words, "--scope", "read", "--scope", "write").strip()
    open_account(stack, "world", min_balance=None)
    open_account(stack, "alice")

    first = pay(stack, "deposit-1", "10000")
    assert (first.status, taken_and_given(first)) == (201, (("0", "-10000"), ("0", "10000")))
    assert "Idempotent-Replayed" not in first.headers
    assert_replayed(pay(stack, "deposit-1", "10000"), first)
    assert_balance(stack, "10000", version=1)

    # Of two workers, the one that has not read an account yet finds it where the other one left it.
    accounts = (f"read-{number}" for number in itertools.count())
    assert wait_until(lambda: reads_from_valkey(stack, next(accounts)), PATIENCE_SECONDS)
    reads = 'payledger_cache_reads_total{layer="l2"}'
    assert wait_until(lambda: metric(stack, reads) == 1, PATIENCE_SECONDS)
    assert metric(stack, "payledger_cache_audit_mismatches_total") == 0
    keys = stack.compose("exec", "-T", "valkey", "valkey-cli", "--scan").split()
    assert any(re.fullmatch(r"payledger:.*:read-0", key) for key in keys), keys

    stack.kill("postgres")
    assert wait_until(lambda: stack.inspect("postgres")["RestartCount"] == 1, PATIENCE_SECONDS)
    assert wait_until(lambda: stack.ask("GET", "/readyz").status == 200, PATIENCE_SECONDS)
    assert_balance(stack, "10000", version=1)
    assert_replayed(pay(stack, "deposit-1", "10000"), first)
    second = pay(stack, "deposit-2", "1")
    assert taken_and_given(second) == (("-10000", "-10001"), ("10000", "10001"))
    assert wait_until(lambda: stack.state("postgres") == running, PATIENCE_SECONDS)
    assert [stack.inspect(name)["RestartCount"] for name in services] == [1, 0, 0, 0]

    stack.compose("down", seconds=240)  # of what there was only the volume stays
    stack.start()
    assert_balance(stack, "10001", version=2)

    assert stack.compose("run", "--rm", "migrate", "verify") == "sound: no breach found\n"

    stack.compose("stop", "service")
    status, _, exit_status = stack.state("service")
    assert (status, exit_status) == ("exited", 0)


def open_account(stack: Stack, code: str, **more: object) -> None:
    body = {"code": code, "currency": "USD"} | more
    assert stack.ask("POST", f"{MAIN}/accounts", body).status == 201


def pay(stack: Stack, key: str, amount: str) -> Answer:
    body = {"from": "world", "to": "alice", "amount": amount, "currency": "USD"}
    return stack.ask("POST", f"{MAIN}/payments", body, {"Idempotency-Key": key})


def taken_and_given(paid: Answer) -> tuple[tuple[str, str], ...]:
    """What both accounts had, and have."""
    return tuple((e["balance_before"], e["balance_after"]) for e in paid.json["entries"])


def assert_replayed(again: Answer, first: Answer) -> None:
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["Idempotent-Replayed"] == "true"


def assert_balance(stack: Stack, balance: str, *, version: int) -> None:
    answer = stack.ask("GET", f"{MAIN}/accounts/alice/balance?consistency=strong")
    assert (answer.status, answer.headers.get("Payledger-Source")) == (200, "db")
    assert answer.json == {
        "account": "alice",
        "currency": "USD",
        "version": version,
        "balance": balance,
        "held": "0",
        "available": balance,
    }


def reads_from_valkey(stack: Stack, code: str) -> bool:
    """Whether one of a few reads of a new account is answered from there."""
    open_account(stack, code)
    for _ in range(20):
        answer = stack.ask("GET", f"{MAIN}/accounts/{code}/balance")
        assert (answer.status, answer.json["balance"]) == (200, "0")
        if answer.headers["Payledger-Source"] == "l2":
            return True
    return False


def metric(stack: Stack, name: str) -> float:
    lines = stack.ask("GET", "/metrics").body.decode().splitlines()
    (value,) = [line.rpartition(" ")[2] for line in lines if line.rpartition(" ")[0] == name]
    return float(value)
