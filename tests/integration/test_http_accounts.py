"""Ledgers, accounts, balances, entries, pages; strange names in URLs."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from http_support import raw

if TYPE_CHECKING:
    from http_support import Api

ACCOUNT: dict[str, Any] = {
    "code": "customers:7",
    "currency": "USD",
    "type": "liability",
    "min_balance": "-50",
    "max_balance": "1000",
    "metadata": {"tier": "gold"},
}

LONGEST_RETENTION = 1000 * 360 * 86400  # to PostgreSQL a year has 360 days when it compares


async def test_an_account_is_created_once(api: Api) -> None:
    created = await api.post("/accounts", ACCOUNT)
    assert created.status == 201
    shown = created.json
    assert shown.pop("created_at").endswith("Z")
    assert shown == ACCOUNT | {
        "status": "open",
        "balance": "0",
        "held": "0",
        "available": "0",
        "version": 0,
    }
    again = await api.post("/accounts", ACCOUNT | {"min_balance": -50})
    assert (again.status, again.body) == (200, created.body)
    assert (await api.get("/accounts/customers:7")).body == created.body


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "EUR"},
        {"type": "asset"},
        {"min_balance": None},
        {"max_balance": "1001"},
        {"metadata": {}},
    ],
)
async def test_an_account_of_other_content_is_a_conflict(api: Api, change: dict[str, Any]) -> None:
    await api.post("/accounts", ACCOUNT)
    answer = await api.post("/accounts", ACCOUNT | change)
    assert answer.outcome == (409, "account_exists")
    assert answer.json["account"] == "customers:7"


async def test_an_account_needs_only_a_code_and_a_currency(api: Api) -> None:
    answer = await api.post("/accounts", {"code": "a", "currency": "USD"})
    assert answer.status == 201
    assert {name: answer.json[name] for name in ("type", "min_balance", "max_balance")} == {
        "type": "liability",
        "min_balance": "0",
        "max_balance": None,
    }


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"code": ...}, "account_code_malformed"),
        ({"code": None}, "account_code_malformed"),
        ({"code": "a b"}, "account_code_malformed"),
        ({"code": "x" * 129}, "account_code_malformed"),
        ({"currency": ...}, "currency_malformed"),
        ({"currency": "usd"}, "currency_malformed"),
        ({"currency": "ZZZ"}, "unknown_currency"),
        ({"type": None}, "account_type_unknown"),
        ({"type": "cash"}, "account_type_unknown"),
        ({"min_balance": "1.5"}, "limits_invalid"),
        ({"min_balance": "x"}, "limits_invalid"),
        ({"min_balance": ""}, "limits_invalid"),
        ({"min_balance": "Infinity"}, "limits_invalid"),
        ({"min_balance": "1001"}, "limits_invalid"),
        ({"max_balance": str(10**38)}, "limits_invalid"),
        ({"max_balance": 10**38}, "limits_invalid"),
        ({"max_balance": "9" * 2000}, "limits_invalid"),
        ({"metadata": []}, "metadata_not_object"),
        ({"metadata": None}, "metadata_not_object"),
        ({"metadata": {"k": "v" * 16384}}, "metadata_too_large"),
    ],
)
async def test_an_account_that_cannot_be_is_refused(
    api: Api, change: dict[str, Any], code: str
) -> None:
    body = {name: value for name, value in (ACCOUNT | change).items() if value is not ...}
    assert (await api.post("/accounts", body)).outcome == (400, code)
    assert (await api.get("/accounts")).json["accounts"] == []


async def test_a_ledger_is_created_once(api: Api) -> None:
    body = {
        "name": f"{api.ledger}-new",
        "idempotency_retention_seconds": 86400,
        "metadata": {"owner": "shop"},
    }
    created = await api.request("POST", "/v1/ledgers", body=body)
    assert created.status == 201
    assert {name: value for name, value in created.json.items() if name != "created_at"} == body
    again = await api.request("POST", "/v1/ledgers", body=body)
    assert (again.status, again.body) == (200, created.body)
    for change in ({"idempotency_retention_seconds": None}, {"metadata": {}}):
        other = await api.request("POST", "/v1/ledgers", body=body | change)
        assert other.outcome == (409, "ledger_exists")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "ledger_name_malformed"),
        ({"name": ""}, "ledger_name_malformed"),
        ({"name": "Upper"}, "ledger_name_malformed"),
        ({"name": "a_b"}, "ledger_name_malformed"),
        ({"name": "x" * 64}, "ledger_name_malformed"),
        ({"name": "r", "idempotency_retention_seconds": 0}, "retention_invalid"),
        ({"name": "r", "idempotency_retention_seconds": -1}, "retention_invalid"),
        ({"name": "r", "idempotency_retention_seconds": 3599}, "retention_invalid"),
        (
            {"name": "r", "idempotency_retention_seconds": LONGEST_RETENTION + 1},
            "retention_invalid",
        ),
        ({"name": "r", "idempotency_retention_seconds": 10**30}, "retention_invalid"),
        ({"name": "r", "idempotency_retention_seconds": -(10**30)}, "retention_invalid"),
        ({"name": "r", "metadata": 5}, "metadata_not_object"),
        ({"name": "r", "metadata": {"k": "v" * 16384}}, "metadata_too_large"),
    ],
)
async def test_a_ledger_that_cannot_be_is_refused(
    api: Api, body: dict[str, Any], code: str
) -> None:
    assert (await api.request("POST", "/v1/ledgers", body=body)).outcome == (400, code)


async def test_a_new_ledger_is_known_at_once(api: Api) -> None:
    later = api.on(f"{api.ledger}-later")
    assert (await later.get("/accounts")).outcome == (404, "unknown_ledger")
    await api.request("POST", "/v1/ledgers", body={"name": later.ledger})
    assert (await later.get("/accounts")).status == 200


async def test_the_longest_retention_is_taken(api: Api) -> None:
    body = {"name": f"{api.ledger}-long", "idempotency_retention_seconds": LONGEST_RETENTION}
    answer = await api.request("POST", "/v1/ledgers", body=body)
    assert (answer.status, answer.json["idempotency_retention_seconds"]) == (201, LONGEST_RETENTION)


async def test_a_balance_tells_its_version(api: Api) -> None:
    await api.open("bank", min_balance=None)
    await api.open("alice")
    for amount in ("5", "99999999999999999999999999999999999"):
        await api.pay({"from": "bank", "to": "alice", "amount": amount, "currency": "USD"})
    answer = await api.get("/accounts/alice/balance")
    assert answer.json == {
        "account": "alice",
        "currency": "USD",
        "version": 2,
        "balance": "100000000000000000000000000000000004",
        "held": "0",
        "available": "100000000000000000000000000000000004",
    }
    assert answer.headers["ETag"].startswith('"2-')


async def pages(api: Api, path: str, what: str) -> list[list[Any]]:
    """All pages of a listing."""
    found = []
    cursor: str | None = ""
    while cursor is not None:
        separator = "&" if "?" in path else "?"
        answer = await api.get(path + (f"{separator}cursor={cursor}" if cursor else ""))
        assert answer.status == 200, answer.body
        found.append(answer.json[what])
        cursor = answer.json["next_cursor"]
    return found


async def test_accounts_are_listed_by_code_page_by_page(api: Api) -> None:
    codes = ["a", "a:1", "a:10", "a:2", "b", "Z", "a-x"]
    for code in codes:
        await api.open(code)
    listed = await pages(api, "/accounts?limit=3", "accounts")
    assert [[account["code"] for account in page] for page in listed] == [
        ["Z", "a", "a-x"],
        ["a:1", "a:10", "a:2"],
        ["b"],
    ]
    (page,) = await pages(api, "/accounts?prefix=a:1", "accounts")
    assert [account["code"] for account in page] == ["a:1", "a:10"]


async def test_a_page_goes_on_where_the_last_one_ended_whatever_is_inserted(api: Api) -> None:
    for code in ("b", "d"):
        await api.open(code)
    first = await api.get("/accounts?limit=1")
    for code in ("a", "c"):
        await api.open(code)
    second = await api.get(f"/accounts?limit=5&cursor={first.json['next_cursor']}")
    assert [account["code"] for account in second.json["accounts"]] == ["c", "d"]


async def test_entries_are_listed_newest_first_page_by_page(api: Api) -> None:
    await api.open("bank", min_balance=None)
    await api.open("alice")
    posted = [
        await api.pay(
            {"from": "bank", "to": "alice", "amount": n, "currency": "USD", "description": f"n{n}"}
        )
        for n in range(1, 6)
    ]
    listed = await pages(api, "/accounts/alice/entries?limit=2", "entries")
    assert [[entry["version"] for entry in page] for page in listed] == [[5, 4], [3, 2], [1]]
    assert listed[0][0] == {
        "version": 5,
        "payment_id": posted[4].json["payment_id"],
        "posting_no": 1,
        "amount": "5",
        "held": "0",
        "balance_after": "15",
        "held_after": "0",
        "kind": "payment",
        "description": "n5",
        "posted_at": posted[4].json["posted_at"],
    }
    (page,) = await pages(api, "/accounts/bank/entries", "entries")
    assert [entry["amount"] for entry in page] == ["-5", "-4", "-3", "-2", "-1"]


async def test_an_account_without_entries_has_one_empty_page(api: Api) -> None:
    await api.open("alice")
    answer = await api.get("/accounts/alice/entries")
    assert answer.json == {"entries": [], "next_cursor": None}


def forged(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document, separators=(",", ":")).encode()).decode()


@pytest.mark.parametrize("path", ["/accounts", "/accounts/alice/entries"])
@pytest.mark.parametrize(
    "query",
    [
        "cursor=",
        "cursor=x",
        "cursor=%00",
        "cursor=eyJ9",
        f"cursor={forged({})}",
        f"cursor={forged({'v': 'e1', 'before': 0}).rstrip('=')}",
        f"cursor={forged({'v': 'e1', 'before': 2**63}).rstrip('=')}",
        f"cursor={forged({'v': 'e1', 'before': 1.5}).rstrip('=')}",
        f"cursor={forged({'v': 'a1', 'after': 'a b'}).rstrip('=')}",
        f"cursor={forged({'v': 'a1', 'after': ''}).rstrip('=')}",
        f"cursor={forged({'v': 'a1', 'after': chr(0)}).rstrip('=')}",
        f"cursor={forged({'v': 'a1', 'after': 'x' * 500}).rstrip('=')}",
        f"cursor={forged({'v': 'a2', 'after': 'x'}).rstrip('=')}",
        "cursor=" + "A" * 5000,
        "limit=",
        "limit=x",
        "limit=1.5",
        "limit=1e1",
        "limit=%D9%A3",
        "limit=99999999999999999999",
        "limit=1&limit=2",
        "offset=5",
        "%00=1",
    ],
)
async def test_a_malformed_parameter_is_refused(api: Api, path: str, query: str) -> None:
    await api.open("alice")
    answer = await api.get(f"{path}?{query}")
    assert answer.outcome == (400, "parameter_malformed")


@pytest.mark.parametrize("path", ["/accounts", "/accounts/alice/entries"])
@pytest.mark.parametrize("limit", ["0", "-1", "1001", "999999999"])
async def test_a_limit_out_of_range_is_refused_by_sql(api: Api, path: str, limit: str) -> None:
    await api.open("alice")
    answer = await api.get(f"{path}?limit={limit}")
    assert answer.outcome == (400, "limit_out_of_range")


async def test_a_cursor_of_another_listing_is_refused(api: Api) -> None:
    await api.open("a")
    await api.open("b")
    cursor = (await api.get("/accounts?limit=1")).json["next_cursor"]
    answer = await api.get(f"/accounts/a/entries?cursor={cursor}")
    assert answer.outcome == (400, "parameter_malformed")


@pytest.mark.parametrize("below", ["", "/balance", "/entries"])
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"..", (400, "account_code_malformed")),
        (b".", (400, "account_code_malformed")),
        (b"%2e%2e", (400, "account_code_malformed")),
        (b"a%00b", (400, "account_code_malformed")),
        (b"a%2Fb", (400, "account_code_malformed")),
        (b"a%2fb", (400, "account_code_malformed")),
        (b"a%20b", (400, "account_code_malformed")),
        (b"a+b", (400, "account_code_malformed")),
        (b"%ff", (400, "account_code_malformed")),
        (b"%ed%a0%80", (400, "account_code_malformed")),
        (b"%C3%A9", (400, "account_code_malformed")),
        (b"%F0%9F%98%80", (400, "account_code_malformed")),
        (b"a%zz", (400, "account_code_malformed")),
        (b"a%", (400, "account_code_malformed")),
        (b"%25", (400, "account_code_malformed")),
        (b"a;b", (400, "account_code_malformed")),
        (b"'or'1'='1", (400, "account_code_malformed")),
        (b"a%0d%0aX:1", (400, "account_code_malformed")),
        (b"x" * 129, (400, "account_code_malformed")),
        (b"x" * 4000, (400, "account_code_malformed")),
        (b"nobody", (404, "unknown_account")),
        (b"ALICE", (404, "unknown_account")),
        (b"alice%3a", (400, "account_code_malformed")),
    ],
)
async def test_a_strange_account_in_a_url_is_refused(
    api: Api, code: bytes, below: str, expected: tuple[int, str]
) -> None:
    await api.open("alice")
    status, _, body = await raw(
        api.url,
        b"GET /v1/ledgers/%b/accounts/%b%b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n\r\n"
        % (api.ledger.encode(), code, below.encode(), api.token.encode()),
    )
    assert (status, json.loads(body)["code"]) == expected


async def test_a_code_may_be_percent_encoded(api: Api) -> None:
    await api.open("customers:7")
    assert (await api.get("/accounts/customers%3A7")).status == 200


@pytest.mark.parametrize(
    "ledger", ["..", "%00", "a%2Fb", "%ff", "Main", "x" * 64, "a_b", "%20", "nowhere"]
)
async def test_a_strange_ledger_in_a_url_is_unknown(api: Api, ledger: str) -> None:
    status, _, body = await raw(
        api.url,
        f"GET /v1/ledgers/{ledger}/accounts HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {api.token}\r\n\r\n".encode(),
    )
    assert (status, json.loads(body)["code"]) == (404, "unknown_ledger")
