"""Reads of the primary that come at the same time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from service.database.bounded import BoundedPool
from service.database.connections import create_pool
from service.errors import Problem
from service.ledger.balances import PrimaryBalances
from service.ledger.carrier import Carrier

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from support.payments import Ledger


@pytest.fixture
async def primary(ledger: Ledger) -> AsyncIterator[PrimaryBalances]:
    await ledger.open("a")
    await ledger.open("b")
    pool = await create_pool(
        ledger.database.dsn(), size=4, application_name="cache", command_seconds=20
    )
    primary = PrimaryBalances(BoundedPool(pool), deadline_seconds=20)
    yield primary
    await primary.close()
    await pool.close()


async def test_are_one_call_and_each_gets_his_account(
    primary: PrimaryBalances, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str | list[str]] = []
    carry = Carrier.carry

    async def carried(carrier: Carrier, statement: str, arguments: Any, deadline: float) -> Any:
        calls.append(arguments[0])
        return await carry(carrier, statement, arguments, deadline)

    monkeypatch.setattr(Carrier, "carry", carried)
    await ledger.pay(ledger.observer, "k", "world", "b", 5)
    codes = ["a", "b", "nobody", "b"]
    found = await asyncio.gather(*(primary.read(code, ledger.id) for code in codes))
    assert [one and (one.code, one.version, one.balance) for one in found] == [
        ("a", 0, "0"),
        ("b", 1, "5"),
        None,
        ("b", 1, "5"),
    ]
    assert calls == [codes, "nobody"], "and why there is none is asked by itself"


async def test_of_an_unknown_ledger_are_refused_and_harm_no_other(
    primary: PrimaryBalances, ledger: Ledger
) -> None:
    right, wrong = await asyncio.gather(
        primary.read("a", ledger.id), primary.read("a", 2**31 - 1), return_exceptions=True
    )
    assert isinstance(wrong, Problem)
    assert wrong.code == "unknown_ledger"
    assert not isinstance(right, BaseException)
    assert right is not None
    assert right.code == "a"


async def test_more_than_can_be_answered_are_refused_at_once(
    primary: PrimaryBalances, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.ledger.balances._MOST_WAITING", 2)
    answers = await asyncio.gather(
        *(primary.read("a", ledger.id) for _ in range(3)), return_exceptions=True
    )
    assert isinstance(answers[2], Problem)
    assert answers[2].code == "overloaded"
    assert not any(isinstance(answer, BaseException) for answer in answers[:2])
