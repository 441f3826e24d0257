"""A payledger in memory, as far as the load generator uses one, with bugs that can be switched on.

It takes requests one at a time, so it is right unless told to be wrong.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = "plk_1_fake"
EVERY = 7
"""A bug strikes every so many payments, or reads."""
EPOCH, OTHER_EPOCH = "0123456789ab", "ba9876543210"
WORKERS = ("a1", "b2")
"""The processes that it pretends to be: one writes, both read."""


@dataclass
class Account:
    code: str
    currency: str
    type: str
    min_balance: int | None
    max_balance: int | None
    balance: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "currency": self.currency,
            "type": self.type,
            "status": "open",
            "balance": str(self.balance),
            "held": "0",
            "available": str(self.balance),
            "version": len(self.entries),
            "min_balance": None if self.min_balance is None else str(self.min_balance),
            "max_balance": None if self.max_balance is None else str(self.max_balance),
            "metadata": {},
            "created_at": "2026-01-01T00:00:00.000000Z",
        }


@dataclass
class Stored:
    content: str
    status: int
    body: bytes
    payment_id: str | None


class FakeLedger:
    """`bug` names what is wrong with it; `trouble` is the share of calls that meet an accident."""

    def __init__(self, bug: str = "", trouble: float = 0.0) -> None:
        self.bug = bug
        self.trouble = trouble
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, Stored] = {}
        self.payments = 0
        self.calls = 0
        self.reads = 0
        self._random = random.Random(1)

    # --- HTTP ---

    def app(self) -> web.Application:
        app = web.Application()
        base = "/v1/ledgers/main"
        app.router.add_post(f"{base}/accounts", self._create_account)
        app.router.add_get(f"{base}/accounts", self._list_accounts)
        app.router.add_get(f"{base}/accounts/{{code}}/balance", self._balance)
        app.router.add_get(f"{base}/accounts/{{code}}/entries", self._entries)
        app.router.add_post(f"{base}/payments", self._payment)
        app.router.add_post(f"{base}/payments/batch", self._batch)
        app.router.add_get(f"{base}/payments", self._look_up)
        app.router.add_get("/metrics", self._metrics)
        return app

    async def _create_account(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return _problem({"code": "unauthorized"}, 401)
        body = await request.json()
        if body["code"] in self.accounts:
            return web.json_response(self.accounts[body["code"]].document())
        limits = [body.get(name) for name in ("min_balance", "max_balance")]
        least, most = (None if limit is None else int(limit) for limit in limits)
        account = Account(body["code"], body["currency"], body["type"], least, most)
        self.accounts[account.code] = account
        return web.json_response(account.document(), status=201)

    async def _list_accounts(self, request: web.Request) -> web.Response:
        limit, after = int(request.query["limit"]), request.query.get("cursor", "")
        codes = sorted(
            code
            for code in self.accounts
            if code.startswith(request.query["prefix"]) and code > after
        )
        page = codes[:limit]
        return web.json_response(
            {
                "accounts": [self.accounts[code].document() for code in page],
                "next_cursor": page[-1] if len(codes) > limit else None,
            }
        )

    async def _balance(self, request: web.Request) -> web.Response:
        account = self.accounts[request.match_info["code"]]
        self.reads += 1
        strikes = self.reads % EVERY == 0
        entries = account.entries
        if self.bug == "stale reads" and strikes and len(entries) > 1:
            entries = entries[:-1]
        balance = int(entries[-1]["balance_after"]) if entries else 0
        balance += self.bug == "wrong read" and len(entries) > 3
        epoch = OTHER_EPOCH if self.bug == "other history" and strikes else EPOCH
        return web.json_response(
            {
                "account": account.code,
                "currency": account.currency,
                "version": len(entries),
                "balance": str(balance),
                "held": "0",
            },
            headers={
                "ETag": f'"{len(entries)}-{epoch}"',
                "Payledger-Source": "l1",
                "X-Request-Id": f"{WORKERS[self.reads % 2]}-{self.reads}",
            },
        )

    async def _metrics(self, request: web.Request) -> web.Response:
        wrong = int(self.bug == "audit finds one")
        return web.Response(
            text="# TYPE payledger_cache_audited_total counter\n"
            f"payledger_cache_audited_total {float(self.reads)}\n"
            f"payledger_cache_audit_mismatches_total {float(wrong)}\n"
        )

    async def _entries(self, request: web.Request) -> web.Response:
        account = self.accounts[request.match_info["code"]]
        limit = int(request.query["limit"])
        end = int(request.query.get("cursor", len(account.entries)))
        rows = account.entries[max(0, end - limit) : end][::-1]
        cursor = str(end - limit) if end > limit else None
        return web.json_response({"entries": rows, "next_cursor": cursor})

    async def _look_up(self, request: web.Request) -> web.Response:
        stored = self.keys.get(request.query["key"])
        if stored is None:
            return _problem({"code": "unknown_idempotency_key"}, 404)
        if stored.status == 201:
            return web.Response(body=stored.body, content_type="application/json")
        return _render(stored, replayed=True)

    async def _payment(self, request: web.Request) -> web.StreamResponse:
        key = request.headers["Idempotency-Key"].strip('"')
        body = await request.json()
        accident = self._random.random()
        if accident < self.trouble / 3:
            return _problem({"code": "not_attempted"}, 503, {"Retry-After": "0"})
        if self.bug == "slow":
            await asyncio.sleep(0.05)
        if self.bug == "lost updates":
            return await self._careless(key, body)
        status, replayed, answer = self.post(key, body)
        if accident < self.trouble:
            assert request.transport is not None
            request.transport.abort()  # the answer is lost, what was done is done
        if status == 201:
            return _posted(answer, replayed)
        return web.Response(
            status=status,
            body=answer,
            content_type="application/problem+json",
            headers={"Idempotent-Replayed": "true"} if replayed else {},
        )

    async def _careless(self, key: str, body: dict[str, Any]) -> web.Response:
        """Check, wait, act: what a service without locks does."""
        if key in self.keys:
            return _render(self.keys[key], replayed=True)
        await asyncio.sleep(0.005)
        self.keys.pop(key, None)
        status, replayed, answer = self.post(key, body)
        return _posted(answer, replayed) if status == 201 else _refused(answer, status)

    async def _batch(self, request: web.Request) -> web.Response:
        body = await request.json()
        results = []
        for item in body["payments"]:
            key = item.pop("idempotency_key")
            status, replayed, answer = self.post(key, item)
            results.append(
                f'{{"status":{status},"replayed":{json.dumps(replayed)},"body":{answer.decode()}}}'
            )
        return web.Response(
            text=f'{{"results":[{",".join(results)}]}}', content_type="application/json"
        )

    # --- the ledger ---

    def post(self, key: str, body: dict[str, Any]) -> tuple[int, bool, bytes]:
        self.calls += 1
        strikes = self.calls % EVERY == 0
        postings = body.get("postings", [body])
        if code := self._invalid(postings):
            if self.bug == "invalid posts" and code == "amount_not_positive":
                self.keys[key] = Stored("", *self._append(body, postings))
            return 400 if code != "unknown_account" else 422, False, _body({"code": code}, 400)
        content = json.dumps(body, sort_keys=True)
        stored = self.keys.get(key)
        if stored is not None and not (self.bug == "forgets keys" and strikes):
            if stored.content != content:
                return self._conflict(body, postings)
            return self._replay(stored)
        if self.bug == "never decides" and key.endswith("7") and "-fund-" not in key:
            return 503, False, _body({"code": "outcome_unknown"}, 503)
        if self.bug == "breaks" and strikes and self._random.random() < 0.5:
            return 500, False, _body({"code": "internal_error"}, 500)
        problem = self._refusal(postings)
        if problem is not None and not (self.bug == "overdraws" and len(postings) == 1):
            answer = _body(problem, 422)
            self.keys[key] = Stored(content, 422, answer, None)
            if self.bug == "refusal posts":
                self._append(body, postings)
            return 422, False, answer
        status, answer, payment_id = self._append(body, postings)
        if self.bug == "doubles" and strikes:
            self._append(body, postings)
        if self.bug == "loses" and strikes:
            for posting in postings:
                for side, sign in (("from", -1), ("to", 1)):
                    account = self.accounts[posting[side]]
                    account.entries.pop()
                    account.balance -= sign * int(posting["amount"])
            return status, False, answer
        self.keys[key] = Stored(content, status, answer, payment_id)
        return status, False, answer

    def _conflict(
        self, body: dict[str, Any], postings: list[dict[str, Any]]
    ) -> tuple[int, bool, bytes]:
        if self.bug == "conflict posts" and self._refusal(postings) is None:
            status, answer, _ = self._append(body, postings)
            return status, False, answer
        if self.bug == "conflict posts silently" and self._refusal(postings) is None:
            self._append(body, postings)
        return 422, False, _body({"code": "key_reused"}, 422)

    def _replay(self, stored: Stored) -> tuple[int, bool, bytes]:
        answer = stored.body
        if self.bug == "answers differ" and stored.status == 201:
            answer = answer.replace(b"2026-05-05T00", b"2026-05-05T01")
        if self.bug == "refusals differ" and stored.status == 422:
            answer = answer.replace(b'"available":"', b'"available":"-')
        return stored.status, self.bug != "unmarked", answer

    def _invalid(self, postings: list[dict[str, Any]]) -> str | None:
        for posting in postings:
            if posting["from"] == posting["to"]:
                return "same_account"
            if int(posting["amount"]) <= 0:
                return "amount_not_positive"
        for posting in postings:
            for side in ("from", "to"):
                account = self.accounts.get(posting[side])
                if account is None:
                    return "unknown_account"
                if account.currency != posting["currency"]:
                    return "currency_mismatch"
        return None

    def _refusal(self, postings: list[dict[str, Any]]) -> dict[str, Any] | None:
        balances: dict[str, int] = {}
        for posting in postings:
            amount = int(posting["amount"])
            source, target = self.accounts[posting["from"]], self.accounts[posting["to"]]
            available = balances.setdefault(source.code, source.balance)
            if source.min_balance is not None and available - amount < source.min_balance:
                return {
                    "code": "insufficient_funds",
                    "account": source.code,
                    "amount": str(amount),
                    "available": str(available),
                    "min_balance": str(source.min_balance),
                }
            balances[source.code] -= amount
            total = balances.setdefault(target.code, target.balance) + amount
            if target.max_balance is not None and total > target.max_balance:
                return {"code": "balance_limit_exceeded", "account": target.code}
            balances[target.code] = total
        return None

    def _append(
        self, body: dict[str, Any], postings: list[dict[str, Any]]
    ) -> tuple[int, bytes, str]:
        self.payments += 1
        payment_id = f"00000000-0000-7000-8000-{self.payments:012}"
        entries = []
        for number, posting in enumerate(postings, start=1):
            for side, sign in (("from", -1), ("to", 1)):
                entries.append(self._enter(payment_id, number, posting, side, sign))
        document = {
            "payment_id": payment_id,
            "ledger": "main",
            "kind": "payment",
            "description": body.get("description"),
            "metadata": body.get("metadata", {}),
            "effective_at": body.get("effective_at", "2026-05-05T00:00:00.000000Z"),
            "posted_at": "2026-05-05T00:00:00.000000Z",
            "entries": entries,
        }
        return 201, json.dumps(document, separators=(",", ":")).encode(), payment_id

    def _enter(
        self, payment_id: str, number: int, posting: dict[str, Any], side: str, sign: int
    ) -> dict[str, Any]:
        account = self.accounts[posting[side]]
        amount = sign * int(posting["amount"])
        if self.bug == "skims" and side == "to" and self.payments % EVERY == 0:
            amount -= 1
        before = account.balance
        account.balance += amount
        version = len(account.entries) + 1
        account.entries.append(
            {
                "version": version,
                "payment_id": payment_id,
                "posting_no": number,
                "amount": str(amount),
                "held": "0",
                "balance_after": str(account.balance),
            }
        )
        return {
            "posting_no": number,
            "account": account.code,
            "currency": posting["currency"],
            "amount": str(amount),
            "balance_before": str(before),
            "balance_after": str(account.balance),
            "version": version,
        }


def _body(values: dict[str, Any], status: int) -> bytes:
    document = {"type": "about:blank", "status": status} | values
    return json.dumps(document, separators=(",", ":")).encode()


def _problem(
    values: dict[str, Any], status: int, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status,
        body=_body(values, status),
        content_type="application/problem+json",
        headers=headers,
    )


def _refused(body: bytes, status: int) -> web.Response:
    return web.Response(status=status, body=body, content_type="application/problem+json")


def _posted(body: bytes, replayed: bool) -> web.Response:
    document = json.loads(body)
    payment_id = document["payment_id"]
    last = {entry["account"]: entry["version"] for entry in document["entries"]}
    headers = {
        "ETag": f'"{payment_id}"',
        "Payledger-Tokens": ", ".join(f"{code}={last[code]}-{EPOCH}" for code in last),
        "X-Request-Id": f"{WORKERS[0]}-1",
        "Location": f"/v1/ledgers/main/payments/{payment_id}",
    }
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    return web.Response(status=201, body=body, content_type="application/json", headers=headers)


def _render(stored: Stored, replayed: bool) -> web.Response:
    if stored.status == 201:
        return _posted(stored.body, replayed)
    response = _refused(stored.body, stored.status)
    response.headers["Idempotent-Replayed"] = "true"
    return response


_TURNS_OF_AN_ACCEPTANCE = 5


@asynccontextmanager
async def serving(ledger: FakeLedger, port: int = 0) -> AsyncIterator[str]:
    """Serve it on loopback; give its URL. Leaving cuts every connection."""
    runner = web.AppRunner(ledger.app(), access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port, reuse_address=True)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        for site in list(runner.sites):
            await site.stop()
        # Who connected in that moment has been accepted, and is known to the server some turns of
        # the loop later: then it is cut with the others.
        for _ in range(_TURNS_OF_AN_ACCEPTANCE):
            await asyncio.sleep(0)
        await runner.cleanup()
