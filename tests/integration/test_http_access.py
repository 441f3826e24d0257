"""API keys: who may do what, in which ledger, and for how long after a revocation."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from http_support import fresh_key, until

from service.database import api_keys

if TYPE_CHECKING:
    from http_support import Api
    from support.answers import Answer

PAYMENT = {"from": "bank", "to": "alice", "amount": "1", "currency": "USD"}

# Every resource, with the scope it needs; {ledger} is the api fixture's.
RESOURCES = [
    ("POST", "/v1/ledgers", "admin"),
    ("POST", "/v1/ledgers/{ledger}/accounts", "write"),
    ("POST", "/v1/ledgers/{ledger}/payments", "write"),
    ("POST", "/v1/ledgers/{ledger}/payments/batch", "write"),
    ("GET", "/v1/ledgers/{ledger}/accounts", "read"),
    ("GET", "/v1/ledgers/{ledger}/accounts/alice", "read"),
    ("GET", "/v1/ledgers/{ledger}/accounts/alice/balance", "read"),
    ("GET", "/v1/ledgers/{ledger}/accounts/alice/entries", "read"),
    ("GET", "/v1/ledgers/{ledger}/payments?key=k", "read"),
    ("GET", "/v1/ledgers/{ledger}/payments/0197b2c3-1111-7222-8333-444455556666", "read"),
]
IDS = [f"{method} {path}" for method, path, _ in RESOURCES]


async def key(api: Api, *scopes: str, ledgers: list[str] | None = None) -> Api:
    """The client with another key."""
    ids = ledgers and [
        await api.database.fetchval("select ledger_id from ledger.ledgers where name = $1", name)
        for name in ledgers
    ]
    return replace(api, token=await api_keys.create(api.database, "a test's", scopes, ids))


async def ask(api: Api, method: str, path: str) -> Answer:
    body = b"no json" if method == "POST" else None
    return await api.request(method, path.format(ledger=api.ledger), body=body)


async def test_a_known_key_posts_only_with_its_scope_and_in_its_ledger(api: Api) -> None:
    """A payment's key is looked for in memory first."""
    payment = {"from": "a", "to": "b", "amount": "1", "currency": "USD"}
    other = api.on("other-" + fresh_key())
    created = await api.request("POST", "/v1/ledgers", body={"name": other.ledger})
    assert created.status == 201
    reader = await key(api, "read")
    bound = await key(api, "read", "write", ledgers=[api.ledger])
    for asking in (
        reader,
        bound,
        replace(bound, ledger=other.ledger),
        replace(api, ledger=other.ledger),
    ):
        await asking.get("/accounts")  # now it is known, if it may
    assert (await reader.pay(payment)).outcome == (403, "forbidden")
    assert (await replace(bound, ledger=other.ledger).pay(payment)).outcome == (403, "forbidden")
    assert (await bound.pay(payment)).outcome == (422, "unknown_account")


@pytest.mark.parametrize(("method", "path", "scope"), RESOURCES, ids=IDS)
async def test_every_resource_needs_a_key_with_its_scope(
    api: Api, method: str, path: str, scope: str
) -> None:
    no_key = replace(api, token="")
    assert (await ask(no_key, method, path)).outcome == (401, "unauthorized")
    others = sorted({"read", "write", "admin"} - {scope})
    answer = await ask(await key(api, *others), method, path)
    assert answer.outcome == (403, "forbidden")
    assert answer.json["scope"] == scope
    assert (await ask(await key(api, scope), method, path)).status not in (401, 403, 500)


@pytest.mark.parametrize(("method", "path", "scope"), RESOURCES, ids=IDS)
async def test_a_key_works_in_its_ledgers_only(
    api: Api, method: str, path: str, scope: str
) -> None:
    other = f"{api.ledger}-other"
    await api.request("POST", "/v1/ledgers", body={"name": other})
    bound = await key(api, scope, ledgers=[other])
    assert (await ask(bound, method, path)).outcome == (403, "forbidden")
    if "{ledger}" in path:
        assert (await ask(bound.on(other), method, path)).status not in (401, 403, 500)
        # It learns nothing about which ledgers there are.
        assert (await ask(bound.on("nowhere"), method, path)).outcome == (403, "forbidden")
        unbound = await key(api, scope)
        assert (await ask(unbound.on("nowhere"), method, path)).outcome == (404, "unknown_ledger")


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "{token}",
        "Token {token}",
        "Bearer {token}x",
        "Bearer x{token}",
        "Bearer {token} ",
        "Bearer {token}, Bearer {token}",
        "Bearer plk_999999_{secret}",
        "Bearer plk_0_{secret}",
        "Bearer plk_-1_{secret}",
        "Bearer plk_99999999999999999999_{secret}",
        "Bearer plk_{id}_",
        "Bearer plk_{id}_{other}",
        "Bearer plk_{id}_{secret}=",
        "Bearer plk_{id}_{digest}",
        "Bearer plk__{secret}",
        "Bearer \u0661",
    ],
)
async def test_a_key_that_is_not_one_is_refused(api: Api, header: str | None) -> None:
    _, number, secret = api.token.split("_", 2)
    headers = {}
    if header is not None:
        headers["Authorization"] = header.format(
            token=api.token,
            secret=secret,
            id=number,
            other="A" * 43,
            digest=hashlib.sha256(secret.encode()).hexdigest(),
        )
    url = f"{api.url}/v1/ledgers/{api.ledger}/accounts"
    async with api.session.get(url, headers=headers) as response:
        document = await response.json(content_type=None)
        is_sound = header in ("Bearer {token} ",)  # spaces around a header's value do not count
        assert (response.status, document.get("code")) == (
            (200, None) if is_sound else (401, "unauthorized")
        )
        if not is_sound:
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            assert secret not in str(document)


async def test_the_scheme_may_be_spelled_in_any_case(api: Api) -> None:
    headers = {"Authorization": f"bearer   {api.token}"}
    answer = await api.get("/accounts", headers=headers)
    assert answer.status == 200


async def test_two_authorizations_are_none(api: Api) -> None:
    headers = [("Authorization", f"Bearer {api.token}")] * 2
    url = f"{api.url}/v1/ledgers/{api.ledger}/accounts"
    async with api.session.get(url, headers=headers) as response:
        assert response.status == 401


@pytest.mark.parametrize("path", ["/accounts", "/accounts/alice/balance"])
async def test_a_revoked_key_stops_working_within_5_seconds(api: Api, path: str) -> None:
    await api.open("alice")
    revoked = await key(api, "read")
    assert (await revoked.get(path)).status == 200
    await api_keys.revoke(api.database, int(revoked.token.split("_")[1]))

    async def refused() -> bool:
        return (await revoked.get(path)).status == 401

    async with asyncio.timeout(5):
        await until(refused, "the key stops working")


async def test_a_key_that_was_refused_works_soon_after_it_is_made(api: Api) -> None:
    number = 1 + await api.database.fetchval("select max(api_key_id) from ledger.api_keys")
    early = replace(api, token=api_keys.render_token(number, b"s" * 32))
    assert (await early.get("/accounts")).status == 401
    made = await key(api, "read")
    assert int(made.token.split("_")[1]) == number

    async def works() -> bool:
        return (await made.get("/accounts")).status == 200

    async with asyncio.timeout(5):
        await until(works, "the key works")


async def test_refusals_come_in_the_order_of_precedence(api: Api) -> None:
    """401, 403, 404 ledger, 415, 413, key, body, key_reused, accounts, business."""
    await api.open("bank", min_balance=None)
    await api.open("alice")
    used = fresh_key()
    await api.pay(PAYMENT, used)

    wrong = {
        "token": "",
        "ledger": "nowhere",
        "type": "text/plain",
        "key": "a b",
        "body": b"x" * 70000,
    }

    async def told() -> str:
        answer = (
            await replace(api, token=wrong["token"])
            .on(wrong["ledger"])
            .post(
                "/payments",
                wrong["body"],
                headers={"Idempotency-Key": wrong["key"], "Content-Type": wrong["type"]},
            )
        )
        return answer.code

    steps = [
        ("unauthorized", "token", (await key(api, "read", "admin")).token),
        ("forbidden", "token", api.token),
        ("unknown_ledger", "ledger", api.ledger),
        ("unsupported_media_type", "type", "application/json"),
        ("body_too_large", "body", b"x"),
        ("idempotency_key_malformed", "key", used),
        ("body_malformed", "body", {**PAYMENT, "to": "nobody", "x": 1}),
        ("payment_malformed", "body", {**PAYMENT, "to": "nobody"}),
        ("key_reused", "key", fresh_key()),
        ("unknown_account", "body", {**PAYMENT, "from": "alice", "to": "bank", "amount": "99"}),
    ]
    for code, name, value in steps:
        assert await told() == code
        wrong[name] = value
    assert await told() == "insufficient_funds"
