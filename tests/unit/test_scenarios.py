"""The scenarios: seeded, and each the trap that it is meant to be."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import pytest

from loadgen.accounts import Accounts
from loadgen.headers import newer, token_of
from loadgen.history import Payment
from loadgen.scenarios import BRANCH, DEFAULT_WEIGHTS, SCENARIOS, Scenarios
from loadgen.schedule import Kind, Operation

ACCOUNTS = Accounts.of_run("r1", 100)


def operations(count: int, seed: int = 7, **weights: float) -> list[Operation]:
    return list(itertools.islice(Scenarios(seed, ACCOUNTS, weights or DEFAULT_WEIGHTS), count))


def moves(payment: Payment) -> list[tuple[str, str]]:
    content = json.loads(payment.body)
    return [(step["from"], step["to"]) for step in content.get("postings", [content])]


def test_the_same_seed_gives_the_same_operations_and_another_seed_others() -> None:
    assert operations(2000) == operations(2000)
    assert operations(50) != operations(50, seed=8)


def test_every_scenario_has_a_share() -> None:
    assert set(DEFAULT_WEIGHTS) == set(SCENARIOS)


def test_at_least_three_sends_in_ten_repeat_an_earlier_key() -> None:
    seen: set[str] = set()
    sent = repeated = 0
    for operation in operations(5000):
        sends = operation.payments * (2 if operation.kind is Kind.IMPORT else 1)
        if operation.kind is Kind.STREAM:
            sends += operation.payments[len(operation.payments) // 2 :]
        for payment in sends:
            sent += 1
            repeated += payment.key in seen
            seen.add(payment.key)
    assert repeated / sent >= 0.3


def test_the_popular_are_in_most_payments_and_everyone_is_in_some() -> None:
    counts = Counter(
        code for operation in operations(5000, zipf=1) for code in moves(operation.payments[0])[0]
    )
    by_rank = [counts[code] for code in ACCOUNTS.ordinary[: len(ACCOUNTS.ordinary) // 2]]
    assert by_rank[0] > 3 * by_rank[9] > 0
    assert all(by_rank)


def test_a_ring_holds_the_same_accounts_in_different_orders() -> None:
    for operation in operations(50, rings=1):
        sets = {
            frozenset(code for move in moves(payment) for code in move)
            for payment in operation.payments
        }
        assert len(sets) == 1
        assert len({tuple(moves(payment)) for payment in operation.payments}) > 1


def test_hunters_want_more_than_a_poor_account_has() -> None:
    for operation in operations(50, hunters=1):
        sources = {moves(payment)[0][0] for payment in operation.payments}
        assert len(sources) == 1
        assert ACCOUNTS.ordinary.index(sources.pop()) % 10 == 0


def test_a_storm_is_one_payment_with_an_impatience_for_each_copy() -> None:
    for operation in operations(50, storms=1):
        assert len({payment.key for payment in operation.payments}) == 1
        assert len(operation.impatience) == len(operation.payments)


def test_racers_send_64_copies_of_one_key_some_with_two_contents() -> None:
    contents = set()
    for operation in operations(50, racers=1):
        assert len(operation.payments) == 64
        assert len({payment.key for payment in operation.payments}) == 1
        contents.add(len({payment.body for payment in operation.payments}))
    assert contents == {1, 2}


def test_a_conflict_has_the_key_of_an_earlier_payment_and_other_content() -> None:
    found = [op for op in operations(300, uniform=1, conflicts=1) if op.kind is Kind.CONFLICT]
    assert found
    for operation in found:
        earlier, conflicting = operation.payments
        assert earlier.key == conflicting.key
        assert earlier.body != conflicting.body


def test_a_stream_is_a_long_list_of_few_accounts_that_nobody_else_pays_from() -> None:
    found = operations(50, streams=1)
    of_lists = {code for op in found for payment in op.payments for code in moves(payment)[0]}
    of_people = {
        code
        for op in operations(2000, uniform=1, zipf=1, hunters=1, sessions=1, importers=1)
        for payment in op.payments
        for code in moves(payment)[0]
    }
    assert not of_lists & of_people
    assert {op.at_once for op in found} == {False, True}
    for operation in found:
        keys = {payment.key for payment in operation.payments}
        assert 300 <= len(operation.payments) == len(keys) <= 900
        assert len({code for payment in operation.payments for code in moves(payment)[0]}) <= BRANCH


def test_a_session_pays_from_the_account_that_it_reads() -> None:
    for operation in operations(50, sessions=1):
        assert {moves(payment)[0][0] for payment in operation.payments} == {operation.account}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("9-e", "10-e", "10-e"),
        ("10-e", "9-e", "10-e"),
        ("10-e", "3-f", "3-f"),
        ("", "3-f", "3-f"),
        ("3-f", "", "3-f"),
        ("3-f", "7", "3-f"),  # an ETag without an epoch is no token
    ],
)
def test_of_two_tokens_the_newer_is_asked_for(one: str, other: str, expected: str) -> None:
    assert newer(one, other) == expected


def test_the_token_of_an_account_is_found_among_others() -> None:
    assert token_of("a:b=3-e, a=4-e", "a") == "4-e"
    assert token_of("a:b=3-e", "a") == ""
