"""Posting over HTTP: outcomes, replays, refusals, batches, looking up."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from http_support import fresh_key, serving

from service.api.plain_payments import PlainPayments

if TYPE_CHECKING:
    from http_support import Api

    from service.settings import Settings

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
HUGE = 10**38


def payment(**changes: Any) -> dict[str, Any]:
    """bank to alice, 100 USD, but for `changes`; a change to ... leaves a field out."""
    body = {"from": "bank", "to": "alice", "amount": "100", "currency": "USD"}
    body |= {name.removesuffix("_"): value for name, value in changes.items()}
    return {name: value for name, value in body.items() if value is not ...}


def posting(**changes: Any) -> dict[str, Any]:
    return payment(**changes)


@pytest.fixture
async def books(api: Api) -> Api:
    """bank (no minimum), alice and bob (at least 0), all USD; euro, EUR."""
    await api.open("bank", type="asset", min_balance=None)
    await api.open("alice")
    await api.open("bob")
    await api.open("euro", currency="EUR")
    return api


async def test_a_payment_is_posted(books: Api) -> None:
    answer = await books.pay(payment(description="first", metadata={"order": 7}))
    assert answer.status == 201
    document = answer.json
    assert UUID.fullmatch(document["payment_id"])
    assert TIME.fullmatch(document["posted_at"])
    assert document["effective_at"] == document["posted_at"]
    assert (document["kind"], document["description"], document["metadata"]) == (
        "payment",
        "first",
        {"order": 7},
    )
    entries = [
        (e["account"], e["amount"], e["balance_before"], e["balance_after"], e["version"])
        for e in document["entries"]
    ]
    assert entries == [("bank", "-100", "0", "-100", 1), ("alice", "100", "0", "100", 1)]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["ETag"] == f'"{document["payment_id"]}"'
    assert answer.headers["Location"] == (
        f"/v1/ledgers/{books.ledger}/payments/{document['payment_id']}"
    )
    assert not answer.replayed
    await books.assert_sound()


async def test_the_answer_is_what_sql_answered_byte_for_byte(books: Api) -> None:
    key = fresh_key()
    answer = await books.pay(payment(), key)
    body = await books.database.fetchval(
        "select body::text from ledger.find_payment_by_key("
        "$1, (select ledger_id from ledger.ledgers where name = $2))",
        key,
        books.ledger,
    )
    assert answer.body == body.encode()


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({}, 201),
        ({"from": "alice", "to": "bob", "amount": "1000001"}, 422),
        ({"to": "nobody"}, 422),
        ({"amount": 0}, 400),
        ({"currency": "EUR"}, 400),
        ({"description": "rent", "metadata": {"a": [1, "\u00e9"]}}, 201),
    ],
)
async def test_a_plain_payment_is_answered_as_the_handler_answers(
    books: Api, monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], status: int
) -> None:
    """The handler has it when its key is quoted, or its content type is spelt in another way."""
    plain = []
    post = PlainPayments._post

    def count(self: PlainPayments, element: Any, *rest: Any) -> Any:
        plain.append(element.idem_key)
        return post(self, element, *rest)

    monkeypatch.setattr(PlainPayments, "_post", count)
    body = payment() | changed
    keys = fresh_key(), fresh_key()
    other = {"Idempotency-Key": f'"{keys[1]}"', "Content-Type": "application/json; charset=utf-8"}
    for _ in ("first", "again"):
        at_once = await books.pay(body, keys[0])
        handled = await books.post("/payments", body, headers=other)
        assert at_once.status == handled.status == status
        assert at_once.headers.keys() == handled.headers.keys()
        own = {"Date", "X-Request-Id", "Location", "ETag", "Payledger-Tokens", "Content-Length"}
        same = at_once.headers.keys() - own
        assert {n: at_once.headers[n] for n in same} == {n: handled.headers[n] for n in same}
        assert at_once.json.keys() == handled.json.keys()
        if status == 201:
            id_, version = at_once.json["payment_id"], at_once.json["entries"][1]["version"]
            assert at_once.headers["ETag"] == f'"{id_}"'
            assert at_once.headers["Location"] == f"/v1/ledgers/{books.ledger}/payments/{id_}"
            assert f"alice={version}-" in at_once.headers["Payledger-Tokens"]
        else:
            assert at_once.json == handled.json
    assert plain == [keys[0]] * 2


@pytest.mark.parametrize(
    "again",
    [
        payment(),
        payment(amount=100),
        payment(amount="000100"),
        payment(metadata={}),
        payment(description=None),
        {"postings": [posting()]},
        {"postings": [posting(amount=100)], "description": None},
    ],
    ids=repr,
)
async def test_a_retry_gets_the_same_answer_and_posts_nothing(
    books: Api, again: dict[str, Any]
) -> None:
    key = fresh_key()
    first = await books.pay(payment(), key)
    before = await books.written()
    retry = await books.pay(again, key)
    assert retry.identity == first.identity
    assert (first.replayed, retry.replayed) == (False, True)
    assert await books.written() == before
    assert await books.balance("alice") == "100"


async def test_a_refusal_is_replayed_even_when_it_would_succeed_now(books: Api) -> None:
    key = fresh_key()
    body = payment(from_="alice", to="bank")
    first = await books.pay(body, key)
    assert first.outcome == (422, "insufficient_funds")
    assert (await books.pay(payment())).status == 201  # now alice has enough
    retry = await books.pay(body, key)
    assert retry.identity == first.identity
    assert (first.replayed, retry.replayed) == (False, True)
    assert await books.balance("alice") == "100"


async def test_metadata_is_kept_as_it_was_sent(books: Api) -> None:
    text = (
        '{"z": 1.10, "big": 123456789012345678901234567890, "e": 1e3, "s": "\\u00e9\\n", "n": [{}]}'
    )
    body = f'{{"from":"bank","to":"alice","amount":1,"currency":"USD","metadata":{text}}}'
    answer = await books.pay(body.encode())
    assert answer.status == 201
    kept = json.loads(answer.body, parse_float=str, parse_int=str)["metadata"]
    assert kept == json.loads(text, parse_float=str, parse_int=str) | {"e": "1000"}


async def test_several_postings_are_posted_all_or_nothing(books: Api) -> None:
    postings = [posting(amount=30), posting(from_="alice", to="bob", amount=20)]
    assert (await books.pay({"postings": postings})).status == 201
    before = await books.written()
    failing = [posting(amount=5), posting(from_="bob", to="alice", amount=21)]
    answer = await books.pay({"postings": failing})
    assert answer.outcome == (422, "insufficient_funds")
    assert (answer.json["posting_no"], answer.json["account"]) == (2, "bob")
    assert await books.written() == (before[0], before[1], before[2] + 1)
    assert (await books.balance("alice"), await books.balance("bob")) == ("10", "20")
    await books.assert_sound()


async def test_an_effective_time_is_kept(books: Api) -> None:
    answer = await books.pay(payment(effective_at="2020-02-29T23:59:59.5+02:00"))
    assert answer.status == 201
    assert answer.json["effective_at"] == "2020-02-29T21:59:59.500000Z"


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    (payment(amount="0"), 400, "amount_not_positive"),
    (payment(amount=0), 400, "amount_not_positive"),
    (payment(amount="-1"), 400, "amount_not_positive"),
    (payment(amount=-5), 400, "amount_not_positive"),
    (payment(amount=HUGE), 400, "amount_too_large"),
    (payment(amount=str(HUGE)), 400, "amount_too_large"),
    (payment(amount="9" * 1000), 400, "amount_too_large"),
    (payment(amount=10**399), 400, "amount_too_large"),
    (payment(amount="9" * 1001), 400, "amount_not_integer"),
    (payment(amount=None), 400, "amount_missing"),
    (payment(amount=...), 400, "amount_missing"),
    (payment(amount=1.5), 400, "amount_not_integer"),
    (payment(amount=1.0), 400, "amount_not_integer"),
    (payment(amount=1e2), 400, "amount_not_integer"),
    (payment(amount="1e2"), 400, "amount_not_integer"),
    (payment(amount="12.34"), 400, "amount_not_integer"),
    (payment(amount="100.0"), 400, "amount_not_integer"),
    (payment(amount="+5"), 400, "amount_not_integer"),
    (payment(amount=" 5"), 400, "amount_not_integer"),
    (payment(amount="1_000"), 400, "amount_not_integer"),
    (payment(amount="٣"), 400, "amount_not_integer"),
    (payment(amount=""), 400, "amount_not_integer"),
    (payment(amount="NaN"), 400, "amount_not_integer"),
    (payment(amount="Infinity"), 400, "amount_not_integer"),
    (payment(amount=True), 400, "payment_malformed"),
    (payment(amount={}), 400, "payment_malformed"),
    (payment(amount=[1]), 400, "payment_malformed"),
    (payment(from_="alice"), 400, "same_account"),
    (payment(from_=...), 400, "account_code_malformed"),
    (payment(from_=None), 400, "account_code_malformed"),
    (payment(to=""), 400, "account_code_malformed"),
    (payment(to="a b"), 400, "account_code_malformed"),
    (payment(to="a::b"), 400, "account_code_malformed"),
    (payment(to="../etc"), 400, "account_code_malformed"),
    (payment(to="é"), 400, "account_code_malformed"),
    (payment(to="a" * 129), 400, "account_code_malformed"),
    (payment(to=5), 400, "payment_malformed"),
    (payment(to=["alice"]), 400, "payment_malformed"),
    (payment(currency="usd"), 400, "currency_malformed"),
    (payment(currency=...), 400, "currency_malformed"),
    (payment(currency=840), 400, "payment_malformed"),
    (payment(currency="EUR"), 400, "currency_mismatch"),
    (payment(to="nobody"), 422, "unknown_account"),
    (payment(to="a" * 128), 422, "unknown_account"),
    (payment(description="d" * 1001), 400, "description_too_long"),
    (payment(description=5), 400, "payment_malformed"),
    (payment(metadata=[]), 400, "metadata_not_object"),
    (payment(metadata=None), 400, "metadata_not_object"),
    (payment(metadata="{}"), 400, "metadata_not_object"),
    (payment(metadata={"k": "v" * 16384}), 400, "metadata_too_large"),
    (payment(effective_at="2026-11-23"), 400, "payment_malformed"),
    (payment(effective_at="2026-11-23T07:00:00"), 400, "payment_malformed"),
    (payment(effective_at="2026-02-30T07:00:00Z"), 400, "payment_malformed"),
    (payment(effective_at="now"), 400, "payment_malformed"),
    (payment(effective_at=1), 400, "payment_malformed"),
    (payment(effective_at="0001-01-01T00:00:00+14:00"), 400, "effective_at_out_of_range"),
    (payment(postings=[posting()]), 400, "payment_malformed"),
    (payment(amout=5), 400, "payment_malformed"),
    ({}, 400, "postings_missing"),
    ({"postings": []}, 400, "postings_missing"),
    ({"postings": None}, 400, "postings_missing"),
    ({"postings": {}}, 400, "payment_malformed"),
    ({"postings": [5]}, 400, "payment_malformed"),
    ({"postings": [posting(memo="x")]}, 400, "payment_malformed"),
    ({"postings": [posting(), posting(amount=1.5)]}, 400, "amount_not_integer"),
    ({"postings": [posting(), posting(amount="2.0")]}, 400, "amount_not_integer"),
    ({"postings": [posting(), posting(amount=False)]}, 400, "payment_malformed"),
    ({"postings": [posting()] * 101}, 400, "too_many_postings"),
    (payment(from_="alice", to="bank"), 422, "insufficient_funds"),
]


@pytest.mark.parametrize(
    ("body", "status", "code"), REFUSALS, ids=[f"{c}-{i}" for i, (_, _, c) in enumerate(REFUSALS)]
)
async def test_a_refused_payment_says_why_and_posts_nothing(
    books: Api, body: dict[str, Any], status: int, code: str
) -> None:
    key = fresh_key()
    before = await books.written()
    answer = await books.pay(body, key)
    assert answer.outcome == (status, code), answer.body
    stored = 1 if code == "insufficient_funds" else 0
    assert await books.written() == (before[0], before[1], before[2] + stored)
    # In a batch it gets the same answer, to the byte.
    single = await books.batch([{"idempotency_key": fresh_key()} | body])
    assert single.status == 200
    (item,) = single.json["results"]
    assert (item["status"], item["replayed"]) == (status, False)
    assert json.dumps(item["body"]) == json.dumps(answer.json)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (1.5, "1.5"),
        ("12.34", "12.34"),
        (-0.5, "-0.5"),
        (1.0, "NaN"),
        ("1.0", "NaN"),
        ("1e2", "NaN"),
        ("abc", "NaN"),
    ],
)
async def test_cents_are_told_back(books: Api, given: object, told: str) -> None:
    assert (await books.pay(payment(amount=given))).json["amount"] == told


async def test_the_first_mistake_in_order_of_precedence_is_told(books: Api) -> None:
    wrong = payment(to="a b", amount=1.5, currency="usd", description="d" * 1001, metadata=[])
    told = []
    for field, right in [
        ("to", "alice"),
        ("amount", 100),
        ("currency", "USD"),
        ("description", None),
        ("metadata", {}),
    ]:
        told.append((await books.pay(wrong)).code)
        wrong[field] = right
    assert told == [
        "account_code_malformed",
        "amount_not_integer",
        "currency_malformed",
        "description_too_long",
        "metadata_not_object",
    ]
    assert (await books.pay(wrong)).status == 201


async def test_frozen_closed_and_full_accounts_refuse(books: Api) -> None:
    ledger_id = await books.database.fetchval(
        "select ledger_id from ledger.ledgers where name = $1", books.ledger
    )
    await books.open("full", max_balance="99")
    await books.open("vast", max_balance=None)
    await books.open("rich", min_balance=None)
    await books.pay(payment(from_="rich", to="vast", amount="9" * 38))
    for code, status in (("alice", "frozen"), ("bob", "closed")):
        await books.database.fetch(
            "select ledger.set_account_status($1, $2, $3)", code, status, ledger_id
        )
    for body, code in [
        (payment(to="alice"), "account_frozen"),
        (payment(to="bob"), "account_closed"),
        (payment(to="full"), "balance_limit_exceeded"),
        (payment(to="vast"), "balance_out_of_range"),
    ]:
        key = fresh_key()
        first = await books.pay(body, key)
        retry = await books.pay(body, key)
        assert first.outcome == (422, code)
        assert retry.identity == first.identity
        assert retry.replayed
        # The words have all their values.
        assert first.json["detail"] != first.json["title"]
        assert "{" not in first.json["detail"]


async def test_a_key_is_for_one_payment_only(books: Api) -> None:
    key = fresh_key()
    await books.pay(payment(), key)
    before = await books.written()
    for other in (
        payment(amount=101),
        payment(to="bob"),
        payment(to="nobody"),
        payment(description="other"),
        payment(metadata={"a": 1}),
        payment(effective_at="2026-01-01T00:00:00Z"),
        {"postings": [posting(), posting()]},
    ):
        answer = await books.pay(other, key)
        assert answer.outcome == (422, "key_reused"), other
        assert not answer.replayed
    assert await books.written() == before


async def test_a_key_belongs_to_its_ledger(books: Api) -> None:
    other = books.on(f"{books.ledger}-b")
    await books.request("POST", "/v1/ledgers", body={"name": other.ledger})
    await other.open("bank", min_balance=None)
    await other.open("alice")
    key = fresh_key()
    first = await books.pay(payment(), key)
    second = await other.pay(payment(), key)
    assert (first.status, second.status) == (201, 201)
    assert not second.replayed
    assert first.json["payment_id"] != second.json["payment_id"]


@pytest.mark.parametrize(
    ("sent", "key"),
    [
        ("plain", "plain"),
        ('"quoted"', "quoted"),
        (r'"with \"quotes\" and \\"', None),
        (r'"a\"b\\c"', 'a"b\\c'),
        ("k" * 255, "k" * 255),
        ("!~", "!~"),
        ('a"b', 'a"b'),
    ],
)
async def test_a_key_may_be_bare_or_quoted(books: Api, sent: str, key: str | None) -> None:
    answer = await books.pay(payment(), sent)
    if key is None:  # it has spaces
        assert answer.outcome == (400, "idempotency_key_malformed")
        return
    assert answer.status == 201
    assert (
        await books.database.fetchval(
            "select key from ledger.idempotency_keys order by created_at desc limit 1"
        )
        == key
    )


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("", "idempotency_key_missing"),
        ('""', "idempotency_key_missing"),
        ("k" * 256, "idempotency_key_too_long"),
        ('"' + "k" * 256 + '"', "idempotency_key_too_long"),
        ("a b", "idempotency_key_malformed"),
        ("a\tb", "idempotency_key_malformed"),
        ("schlüssel", "idempotency_key_malformed"),
        ('"open', "idempotency_key_malformed"),
        ('"a" "b"', "idempotency_key_malformed"),
        ('"a";p=1', "idempotency_key_malformed"),
        (r'"a\b"', "idempotency_key_malformed"),
        ('"', "idempotency_key_malformed"),
    ],
)
async def test_a_key_of_another_form_is_refused_before_the_body_is_looked_at(
    books: Api, sent: str, code: str
) -> None:
    answer = await books.post("/payments", b"no json", headers={"Idempotency-Key": sent})
    assert answer.outcome == (400, code)


async def test_a_missing_or_repeated_key_is_refused(books: Api) -> None:
    assert (await books.post("/payments", payment())).outcome == (400, "idempotency_key_missing")
    url = f"{books.url}/v1/ledgers/{books.ledger}/payments"
    headers = [
        ("Authorization", f"Bearer {books.token}"),
        ("Content-Type", "application/json"),
        ("Idempotency-Key", "one"),
        ("Idempotency-Key", "one"),
    ]
    async with books.session.post(url, data=json.dumps(payment()), headers=headers) as response:
        assert response.status == 400
        assert (await response.json(content_type=None))["code"] == "idempotency_key_malformed"


@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "a" + "~" * 300])
async def test_the_rules_for_keys_are_those_of_sql(books: Api, key: str) -> None:
    answer = await books.post("/payments", payment(), headers={"Idempotency-Key": f'"{key}"'})
    body = await books.database.fetchval(
        "select body::text from ledger.post_payment($1, 'bank', 'alice', 1, 'USD')", key
    )
    in_sql = json.loads(body)
    assert {name: answer.json[name] for name in in_sql} == in_sql


async def test_a_payment_is_found_by_id_and_by_key(books: Api) -> None:
    key = fresh_key()
    posted = await books.pay(payment(), key)
    by_id = await books.get(f"/payments/{posted.json['payment_id']}")
    shouted = await books.get(f"/payments/{posted.json['payment_id'].upper()}")
    by_key = await books.get(f"/payments?key={key}")
    for found in (by_id, shouted, by_key):
        assert (found.status, found.body) == (200, posted.body)
        assert found.headers["ETag"] == posted.headers["ETag"]
    assert by_key.headers["Location"] == posted.headers["Location"]
    assert by_key.replayed


async def test_a_refusal_is_found_by_key_as_it_was_told(books: Api) -> None:
    key = fresh_key()
    told = await books.pay(payment(from_="alice", to="bank"), key)
    found = await books.get(f"/payments?key={key}")
    assert found.identity == told.identity
    assert found.replayed


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/payments?key=unused", 404, "unknown_idempotency_key"),
        ("/payments", 400, "parameter_malformed"),
        ("/payments?key=", 400, "idempotency_key_missing"),
        ("/payments?key=%00", 400, "parameter_malformed"),
        ("/payments?key=a%20b", 400, "parameter_malformed"),
        ("/payments?key=%ff", 400, "parameter_malformed"),
        ("/payments?key=" + "k" * 256, 400, "idempotency_key_too_long"),
        ("/payments?key=a&key=b", 400, "parameter_malformed"),
        ("/payments?kye=a", 400, "parameter_malformed"),
        ("/payments/0197b2c3-1111-7222-8333-444455556666", 404, "unknown_payment"),
        ("/payments/batch", 400, "parameter_malformed"),
        ("/payments/123", 400, "parameter_malformed"),
        ("/payments/%00", 400, "parameter_malformed"),
        ("/payments/0197b2c3111172228333444455556666", 400, "parameter_malformed"),
    ],
)
async def test_what_is_not_found_or_not_asked_well_is_told(
    books: Api, path: str, status: int, code: str
) -> None:
    assert (await books.get(path)).outcome == (status, code)


async def test_a_batch_answers_each_payment_in_order(books: Api) -> None:
    keys = [fresh_key() for _ in range(5)]
    payments = [
        payment(idempotency_key=keys[0], amount=50),
        payment(idempotency_key=keys[1], from_="alice", to="bob", amount=30),
        payment(idempotency_key=keys[2], from_="alice", to="bob", amount=30),
        payment(idempotency_key=keys[0], amount=50),
        payment(idempotency_key=keys[0], amount=51),
        payment(idempotency_key=keys[3], to="nobody"),
        {"idempotency_key": keys[4], "postings": [posting(amount=1)], "metadata": {"x": 1}},
    ]
    answer = await books.batch(payments)
    assert answer.status == 200
    results = answer.json["results"]
    told = [(r["status"], r["replayed"], r["body"].get("code")) for r in results]
    assert told == [
        (201, False, None),
        (201, False, None),
        (422, False, "insufficient_funds"),
        (201, True, None),
        (422, False, "key_reused"),
        (422, False, "unknown_account"),
        (201, False, None),
    ]
    assert (await books.balance("alice"), await books.balance("bob")) == ("21", "30")
    # Sent one by one they get the same answers, as replays.
    for sent, result in zip(payments, results, strict=True):
        body = {name: value for name, value in sent.items() if name != "idempotency_key"}
        single = await books.pay(body, sent["idempotency_key"])
        assert (single.status, single.json) == (result["status"], result["body"])
    again = await books.batch(payments)
    assert [r["body"] for r in again.json["results"]] == [r["body"] for r in results]
    await books.assert_sound()


async def test_a_batch_of_500_is_taken_and_one_of_501_is_not(books: Api) -> None:
    payments = [payment(idempotency_key=fresh_key(), amount=1) for _ in range(501)]
    before = await books.written()
    assert (await books.batch(payments)).outcome == (400, "too_many_payments")
    assert await books.written() == before
    answer = await books.batch(payments[:500])
    assert answer.status == 200
    assert {r["status"] for r in answer.json["results"]} == {201}
    assert await books.balance("alice") == "500"


async def test_an_empty_batch_has_no_results(books: Api) -> None:
    assert (await books.batch([])).json == {"epoch": None, "results": []}


async def test_an_item_that_is_no_payment_is_told_so_and_the_others_are_posted(books: Api) -> None:
    items = [5, None, [], "x", payment(idempotency_key=fresh_key()), payment(idempotency_key=5)]
    results = (await books.batch(items)).json["results"]
    assert [r["status"] for r in results] == [400, 400, 400, 400, 201, 400]
    assert await books.balance("alice") == "100"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "payments"),
        ({"payments": None}, "payments"),
        ({"payments": {}}, "payments"),
        ({"payments": [], "extra": 1}, "extra"),
        ([], "body"),
        (5, "body"),
    ],
    ids=repr,
)
async def test_a_batch_of_another_form_is_refused(books: Api, body: object, field: str) -> None:
    answer = await books.post("/payments/batch", body)
    assert answer.outcome == (400, "body_malformed")
    assert answer.json["field"] == field


async def test_a_batch_takes_no_key_of_its_own(books: Api) -> None:
    answer = await books.post("/payments/batch", b"[", headers={"Idempotency-Key": "k"})
    assert answer.outcome == (400, "batch_idempotency_key_not_allowed")


async def test_64_simultaneous_duplicates_post_once_and_are_answered_alike(books: Api) -> None:
    key = fresh_key()
    answers = await asyncio.gather(*(books.pay(payment(), key) for _ in range(64)))
    assert len({answer.identity for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False] + [True] * 63
    assert await books.balance("alice") == "100"


async def test_racing_contents_under_one_key_post_one_of_them(books: Api) -> None:
    key = fresh_key()
    answers = await asyncio.gather(*(books.pay(payment(amount=10 + n % 2), key) for n in range(32)))
    posted = {answer.body for answer in answers if answer.status == 201}
    refused = {answer.code for answer in answers if answer.status != 201}
    assert (len(posted), refused) == (1, {"key_reused"})
    assert await books.balance("alice") in ("10", "11")


# -- retention -------------------------------------------------------------------------------------


async def expire_keys(api: Api) -> None:
    """Make every key of the ledger older than an hour, as only a superuser can, and purge."""
    table = "alter table ledger.idempotency_keys"
    async with api.database.transaction():
        await api.database.execute(f"{table} disable trigger refuse_change")
        await api.database.execute(
            """
            update ledger.idempotency_keys set created_at = created_at - interval '2 hours'
            where ledger_id = (select ledger_id from ledger.find_ledger($1))
            """,
            api.ledger,
        )
        await api.database.execute(f"{table} enable always trigger refuse_change")
    await api.database.execute(
        "select ledger.purge_idempotency_keys(p_ledger_id => ledger_id)"
        " from ledger.find_ledger($1)",
        api.ledger,
    )


@pytest.mark.parametrize("retention", [3600, None])
async def test_a_key_that_was_purged_posts_anew_and_without_a_retention_none_is(
    api: Api, settings: Settings, retention: int | None
) -> None:
    name = f"{api.ledger}-retention"
    body = {"name": name, "idempotency_retention_seconds": retention}
    assert (await api.request("POST", "/v1/ledgers", body=body)).status == 201
    books = api.on(name)
    await books.open("bank", min_balance=None)
    await books.open("alice")
    payment = {"from": "bank", "to": "alice", "amount": "1", "currency": "USD"}
    refused = {"from": "alice", "to": "bank", "amount": "2", "currency": "USD"}
    # By a process that is gone two hours later: each remembers answers for a minute.
    async with serving(settings) as (url, _):
        earlier = replace(books, url=url)
        old = await earlier.pay(payment, "paid")
        old_refusal = await earlier.pay(refused, "refused")
    assert (old.status, old_refusal.status) == (201, 422)

    await expire_keys(books)
    new = await books.pay(payment, "paid")
    new_refusal = await books.pay(refused, "refused")
    if retention:
        assert (new.status, new.replayed) == (201, False)
        assert new.json["payment_id"] != old.json["payment_id"]
        assert new_refusal.status == 201  # there is enough by now
        assert await books.balance("alice") == "0"
    else:
        assert (new.identity, new.replayed) == (old.identity, True)
        assert new_refusal.identity == old_refusal.identity
        assert await books.balance("alice") == "1"

    # Nothing brings the old answer back: neither a retry, nor a look-up by key.
    assert (await books.pay(payment, "paid")).identity == new.identity
    assert (await books.get("/payments?key=paid")).body == new.body
    assert (await books.pay(refused, "refused")).identity == new_refusal.identity
    assert (await books.get(f"/payments/{old.json['payment_id']}")).status == 200
    await books.assert_sound()
