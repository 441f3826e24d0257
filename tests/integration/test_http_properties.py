"""Whatever is sent: never a 500, and nothing is written by what is refused.

PAYLEDGER_TEST_EXAMPLES sets how many examples each test tries.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from service.errors import BY_CODE

if TYPE_CHECKING:
    from http_support import Api

# The database and the service are shared by the examples; so is the ledger.
relaxed = settings(
    max_examples=int(os.environ.get("PAYLEDGER_TEST_EXAMPLES", "80")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

CODES = ["bank", "alice", "bob", "euro", "nobody", "a b", "", "x" * 129]
FIELDS = [
    "from", "to", "amount", "currency", "postings", "description", "metadata", "effective_at",
    "idempotency_key", "payments", "code", "type", "min_balance", "max_balance", "name",
    "idempotency_retention_seconds", "", "\x00", "é",
]  # fmt: skip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**40), 10**40),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from([*CODES, "USD", "EUR", "100", "-1", "1.5", "1e400", "9" * 39, "2026-01-01"]),
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=12,
)


def one_of(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly as it should be."""
    return st.integers(0, 9).flatmap(lambda n: good if n else anything)


amounts = one_of(st.integers(0, 60) | st.integers(1, 60).map(str))
posting = {
    "from": one_of(st.sampled_from(CODES[:5])),
    "to": one_of(st.sampled_from(CODES[:5])),
    "amount": amounts,
    "currency": one_of(st.sampled_from(["USD", "EUR"])),
}
optional = {
    "description": one_of(st.none() | st.text(max_size=30)),
    "metadata": one_of(st.dictionaries(st.text(max_size=5), anything, max_size=3)),
    "effective_at": one_of(st.datetimes().map(lambda at: at.isoformat() + "Z")),
    "extra": anything,
}
payments = st.one_of(
    st.fixed_dictionaries(posting),
    st.fixed_dictionaries(posting, optional=optional),
    st.fixed_dictionaries(
        {"postings": one_of(st.lists(st.fixed_dictionaries(posting), max_size=4))},
        optional=optional | posting,
    ),
    anything,
)
keys = st.sampled_from(["k1", "k2", "k3", "", "a b", "k" * 256]) | st.uuids().map(str)


def spoiled(document: Any, where: float, what: bytes) -> bytes:
    """Its JSON, with bytes put in somewhere."""
    text = json.dumps(document).encode()
    place = int(where * len(text))
    return text[:place] + what + text[place:]


bodies = payments.map(lambda document: json.dumps(document).encode()) | st.builds(
    spoiled, payments, st.floats(0, 1), st.binary(max_size=3) | st.sampled_from([b"{", b"\\u0000"])
)


@pytest.fixture
async def books(api: Api) -> Api:
    await api.open("bank", min_balance=None)
    await api.open("alice", max_balance="200")
    await api.open("bob")
    await api.open("euro", currency="EUR", min_balance=None)
    return api


def is_stored(code: str) -> bool:
    return BY_CODE[code].outcome == "rejected"


@relaxed
@given(body=bodies, key=keys)
async def test_any_payment_is_posted_or_refused_and_never_fails(
    books: Api, body: bytes, key: str
) -> None:
    before = await books.written()
    answer = await books.post("/payments", body, headers={"Idempotency-Key": key})
    after = await books.written()
    if answer.status == 201 or is_stored(answer.code):
        assert after[2] - before[2] == (0 if answer.replayed else 1)
        assert after[0] - before[0] == (answer.status == 201 and not answer.replayed)
        again = await books.post("/payments", body, headers={"Idempotency-Key": key})
        assert again.identity == answer.identity
        assert again.replayed
    else:
        assert 400 <= answer.status < 500, answer.body
        assert after == before
    await books.assert_sound()


# What is not stored leaves its key to a later payment of the batch.
KEY_TAKEN_LATER = [
    ({"from": "bank", "to": "bob", "amount": 21, "currency": "EUR"}, "k-later"),
    ({"from": "bank", "to": "bob", "amount": 21, "currency": "USD"}, "k-later"),
]


@relaxed
@example(items=KEY_TAKEN_LATER)
@given(items=st.lists(st.tuples(payments, keys | st.none()), max_size=6))
async def test_any_batch_is_answered_item_by_item_as_single_payments_are(
    books: Api, items: list[tuple[Any, str | None]]
) -> None:
    sent = [
        {**payment, **({"idempotency_key": key} if key is not None else {})}
        if isinstance(payment, dict)
        else payment
        for payment, key in items
    ]
    before = await books.written()
    answer = await books.post("/payments/batch", json.dumps({"payments": sent}).encode())
    if answer.status != 200:
        assert answer.outcome == (400, "body_malformed")
        assert await books.written() == before
        return
    results = answer.json["results"]
    assert len(results) == len(sent)
    stored = [result["status"] == 201 or is_stored(result["body"]["code"]) for result in results]
    for number, (item, result) in enumerate(zip(sent, results, strict=True), 1):
        assert result["status"] in (201, 400, 422), result
        if not isinstance(item, dict) or not isinstance(item.get("idempotency_key"), str):
            continue
        key = item["idempotency_key"]
        single = await books.post(
            "/payments",
            {name: value for name, value in item.items() if name != "idempotency_key"},
            headers={"Idempotency-Key": f'"{key}"'},
        )
        if stored[number - 1]:
            assert single.replayed
        elif any(
            later and isinstance(other, dict) and other.get("idempotency_key") == key
            for other, later in zip(sent[number:], stored[number:], strict=True)
        ):
            assert single.code in ("key_reused", result["body"]["code"])
            continue
        assert (single.status, single.json) == (result["status"], result["body"])
    await books.assert_sound()


@relaxed
@given(
    body=st.fixed_dictionaries(
        {
            "code": one_of(st.uuids().map(str) | st.sampled_from(CODES)),
            "currency": one_of(st.sampled_from(["USD", "EUR", "ZZZ"])),
        },
        optional={
            "type": one_of(st.sampled_from(["asset", "liability", "cash"])),
            "min_balance": one_of(st.none() | st.integers().map(str) | st.integers()),
            "max_balance": one_of(st.none() | st.integers().map(str) | st.integers()),
            "metadata": one_of(st.dictionaries(st.text(max_size=5), anything, max_size=3)),
            "extra": anything,
        },
    )
    | anything
)
async def test_any_account_is_created_or_refused_and_never_fails(books: Api, body: Any) -> None:
    answer = await books.post("/accounts", json.dumps(body).encode())
    again = await books.post("/accounts", json.dumps(body).encode())
    if answer.status in (200, 201):
        assert again.status == 200
        if answer.status == 201:
            assert again.body == answer.body
    else:
        assert answer.status in (400, 409), answer.body
        assert again.outcome == answer.outcome


@relaxed
@given(
    body=st.fixed_dictionaries(
        {"name": one_of(st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True))},
        optional={
            "idempotency_retention_seconds": one_of(st.none() | st.integers(0, 10**16)),
            "metadata": one_of(st.dictionaries(st.text(max_size=5), anything, max_size=3)),
        },
    )
    | anything
)
async def test_any_ledger_is_created_or_refused_and_never_fails(books: Api, body: Any) -> None:
    answer = await books.request("POST", "/v1/ledgers", body=json.dumps(body).encode())
    assert answer.status in (200, 201, 400, 409), answer.body
    if answer.status == 201:
        again = await books.request("POST", "/v1/ledgers", body=json.dumps(body).encode())
        assert (again.status, again.body) == (200, answer.body)


@relaxed
@given(
    code=st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    query=st.dictionaries(
        st.sampled_from(["cursor", "limit", "prefix", "key", "x"]), st.text(max_size=10), max_size=3
    ),
)
async def test_any_question_is_answered_and_never_fails(
    books: Api, code: str, query: dict[str, str]
) -> None:
    from urllib.parse import quote, urlencode

    part, asked = quote(code, safe=""), urlencode(query)
    for path in (
        f"/accounts?{asked}",
        f"/accounts/{part}?{asked}",
        f"/accounts/{part}/balance",
        f"/accounts/{part}/entries?{asked}",
        f"/payments?{asked}",
        f"/payments/{part}",
    ):
        answer = await books.get(path)
        assert answer.status in (200, 400, 404), (path, answer.body)
        if answer.status != 200:
            assert answer.code in BY_CODE
