"""Payments on their way to SQL: as they came, but for amounts whose spelling jsonb would hide."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.payment_bodies import read_batch, read_element, read_payment
from service.errors import Problem
from service.ledger.poster import Element

BODY = {"from": "a", "to": "b", "amount": "5", "currency": "USD"}


def read(body: object) -> Element:
    return read_payment(json.dumps(body).encode(), "k")


def element(body: object) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(read(body).text)
    return document


@pytest.mark.parametrize(
    "amount", ["5", 5, "005", "-5", 0, "9" * 1000, 10**399], ids=lambda amount: str(amount)[:9]
)
def test_an_amount_in_the_common_form_is_carried_as_it_came(amount: object) -> None:
    assert element(BODY | {"amount": amount}) == {"idempotency_key": "k"} | BODY | {
        "amount": amount
    }


@pytest.mark.parametrize("key", ["k", 'a"b\\c'])
def test_a_payment_in_the_common_form_goes_as_it_came_behind_its_key(key: str) -> None:
    body = b' { "from" : "a","to":"b","amount":1,"currency":"USD","metadata":{"x" : 1.10} }\n'
    payment = read_payment(body, key)
    assert payment.text.endswith(body[2:])
    assert json.loads(payment.text)["idempotency_key"] == key == payment.idem_key


@pytest.mark.parametrize(
    ("body", "accounts"),
    [
        (BODY, ("a", "b")),
        (BODY | {"amount": "1.5"}, ("a", "b")),
        (BODY | {"amount": 1.5}, ("a", "b")),
        (BODY | {"amount": {}}, ()),
        ({"postings": [BODY, BODY | {"from": "c"}]}, ("a", "b", "c", "b")),
        ({"postings": [BODY, 5]}, ()),
        ({}, ()),
    ],
)
def test_the_accounts_of_a_payment_are_known_if_it_can_be_read(
    body: dict[str, Any], accounts: tuple[str, ...]
) -> None:
    assert read(body).accounts == accounts
    assert read_element(json.dumps(body).encode()).accounts == accounts


@pytest.mark.parametrize(
    ("item", "key"),
    [
        ({"idempotency_key": "k"}, "k"),
        ({"idempotency_key": "k", "from": 5}, "k"),
        ({"idempotency_key": 5}, None),
        ({}, None),
        (5, None),
    ],
)
def test_the_key_of_an_element_is_known_if_it_has_one(item: object, key: str | None) -> None:
    (payment,) = read_batch(json.dumps({"payments": [item]}).encode())
    assert payment.idem_key == key


@pytest.mark.parametrize(
    ("amount", "carried"),
    [
        ("1.0", "NaN"),
        ("1e2", "NaN"),
        ("+1", "NaN"),
        (" 1", "NaN"),
        ("1\n", "NaN"),
        ("", "NaN"),
        ("Infinity", "NaN"),
        ("\u0663", "NaN"),
        ("9" * 1001, "NaN"),
        ("1.5", "1.5"),
        ("-12.34", "-12.34"),
        ("1.50", "NaN"),
        (True, True),
        (None, None),
        ([1.0], [1.0]),
        ({"amount": 1.0}, {"amount": 1.0}),
    ],
)
def test_any_other_amount_goes_as_what_sql_refuses(amount: object, carried: object) -> None:
    assert element(BODY | {"amount": amount})["amount"] == carried


@pytest.mark.parametrize(
    ("spelled", "carried"),
    [("1.0", "NaN"), ("1e2", "NaN"), ("1E0", "NaN"), ("-0.0", "NaN"), ("1.5", "1.5"), ("-1", -1)],
)
def test_numbers_are_judged_by_their_spelling(spelled: str, carried: object) -> None:
    body = f'{{"postings":[{{"amount":  {spelled}  ,"from":"a"}}]}}'.encode()
    payment = read_payment(body, "k")
    assert json.loads(payment.text)["postings"] == [{"amount": carried, "from": "a"}]


def test_everything_but_amounts_goes_as_it_came() -> None:
    metadata = '{ "a" : 1.10, "amount": 1.0, "postings": [ {"amount": 1e2} ] }'
    body = f'{{"postings":[5,{{"x":1.0}}],"metadata":{metadata},"effective_at":7}}'.encode()
    payment = read_payment(body, 'k"\\')
    assert metadata.encode() in payment.text
    assert json.loads(payment.text) == {
        "postings": [5, {"x": 1.0}],
        "metadata": json.loads(metadata),
        "effective_at": 7,
        "idempotency_key": 'k"\\',
    }


def test_a_key_in_the_body_of_a_single_payment_is_unknown() -> None:
    with pytest.raises(Problem) as caught:
        read(BODY | {"idempotency_key": "mine"})
    assert caught.value.code == "payment_malformed"
    assert caught.value.values == {"field": "idempotency_key", "reason": "unknown field"}


def batch(text: str) -> list[bytes]:
    return [payment.text for payment in read_batch(f'{{"payments":{text}}}'.encode())]


def test_a_batch_in_the_common_form_goes_as_it_came() -> None:
    items = ['{"amount": "5", "metadata": {"a" : 1.10}}', '{"postings": [ {"amount" : 1 } ]}']
    assert batch(f"[ {items[0]}, {items[1]} ]") == [item.encode() for item in items]


def test_a_batch_is_mended_where_it_must_be_and_only_there() -> None:
    array = '[{"amount":1.0,"metadata":{"a" : 1.10}},5,{"postings":[{"amount":"+1"}],"amount":2}]'
    assert [json.loads(text) for text in batch(array)] == [
        {"amount": "NaN", "metadata": {"a": 1.10}},
        5,
        {"postings": [{"amount": "NaN"}], "amount": 2},
    ]


amounts = st.one_of(
    st.integers(-(10**50), 10**50),
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(["1.0", "1e2", "+1", "1.5", None, True, [], {}]),
)


def is_integer(amount: object) -> bool:
    if isinstance(amount, str):
        digits = amount.removeprefix("-")
        return digits.isascii() and digits.isdigit()
    return isinstance(amount, int) and not isinstance(amount, bool)


@given(st.lists(amounts, max_size=5))
def test_only_integers_reach_sql_as_integers(given: list[Any]) -> None:
    items = [{"amount": amount} for amount in given]
    beside = [json.loads(text, parse_float=str) for text in batch(json.dumps(items))]
    compound = json.loads(read_payment(json.dumps({"postings": items}).encode(), "k").text)
    for amount, alone, together in zip(given, beside, compound["postings"], strict=True):
        assert alone == together
        if is_integer(amount):
            assert alone["amount"] == amount
        elif isinstance(amount, (str, float)):
            # NaN, or a fraction that is not zero: neither is ever an integer to SQL.
            assert isinstance(alone["amount"], str)
            carried = Decimal(alone["amount"])
            assert carried.is_nan() or carried != carried.to_integral_value()
        else:
            assert alone["amount"] == amount
