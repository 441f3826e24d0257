"""Which requests are answered as soon as they are read.

That they get the answer that the handler gives is shown in tests/integration/test_http_reads.py.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.test_utils import make_mocked_request

from service.api.access import Access
from service.api.counting import REQUESTS, Requests
from service.api.hits import Hits
from service.cache.balances import BalanceCache
from service.cache.counters import Counters
from service.cache.model import AccountKey, Change
from service.cache.trust import Trust
from service.database.api_keys import render_token
from service.ledger.balances import VersionedBalance
from service.metrics.instruments import SEPARATOR, Metrics
from service.metrics.memory import Region

SECRET = b"s" * 32
EPOCH = "0123456789ab"
AUTHORIZATION = f"Bearer {render_token(7, SECRET)}"
BALANCE = "/v1/ledgers/main/accounts/alice/balance"
COUNTED = SEPARATOR.join(
    (REQUESTS.name, "GET", "/v1/ledgers/{ledger}/accounts/{code}/balance", "200")
)


class Database:
    """Of one key and one ledger, with the account alice."""

    def __init__(self) -> None:
        self.scopes = ("read",)
        self.ledger_ids: tuple[int, ...] | None = None

    async def find_api_key(self, _: int) -> Any:
        digest = hashlib.sha256(SECRET).digest()
        return SimpleNamespace(secret_sha256=digest, scopes=self.scopes, ledger_ids=self.ledger_ids)

    async def find_ledger(self, _: str) -> Any:
        return SimpleNamespace(ledger_id=1)

    async def read(self, code: str, ledger_id: int) -> VersionedBalance | None:
        return VersionedBalance(code, "USD", 3, "70", "0", EPOCH)


class Service:
    """What hits work with, all of it known already."""

    def __init__(self, database: Database) -> None:
        self.region = Region.alone()
        self.trust = Trust(Counters())
        self.trust.epoch = EPOCH
        self.trust.live_until = time.monotonic() + 3600
        self.cache = BalanceCache(database, self.trust, Counters())
        self.access = Access(database)  # type: ignore[arg-type]
        self.hits = Hits(self.access, self.cache, Requests(Metrics(self.region)))

    async def warm(self) -> None:
        """As after a first request."""
        await self.access.admit(routed(), "read")
        await self.cache.read(AccountKey(1, "alice"))

    def answer(self, path: str = BALANCE, method: str = "GET", **headers: str) -> bytes | None:
        sent = {"Authorization": AUTHORIZATION, **headers}
        return self.hits.answer(parsed(f"{method} {path} HTTP/1.1", *sent.items()))


def parsed(line: str, *headers: tuple[str, str]) -> RawRequestMessage:
    """As aiohttp reads it."""
    loop = asyncio.get_running_loop()
    parser = HttpRequestParser(BaseProtocol(loop), loop, 2**16)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    ((message, _),), _, _ = parser.feed_data(f"{line}\r\nHost: here\r\n{fields}\r\n".encode())
    assert isinstance(message, RawRequestMessage)
    return message


def routed() -> web.Request:
    headers = {"Authorization": AUTHORIZATION}
    match = {"ledger": "main", "code": "alice"}
    return make_mocked_request("GET", BALANCE, headers=headers, match_info=match)


def etag(answer: bytes | None) -> bytes:
    assert answer is not None
    match = re.search(rb'\r\nETag: "([^"]+)"\r\n', answer)
    assert match is not None
    return match[1]


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
async def service(database: Database) -> Service:
    service = Service(database)
    await service.warm()
    return service


@pytest.mark.parametrize("query", ["", "?min_version=3", f"?min_version=3-{EPOCH}"])
async def test_what_is_in_memory_is_answered_and_counted(service: Service, query: str) -> None:
    answer = service.answer(BALANCE + query)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert etag(answer) == f"3-{EPOCH}".encode()
    assert service.region.cells[service.region.place(COUNTED)] == 1


async def test_it_is_the_newest_that_was_heard(service: Service) -> None:
    service.cache.heard(1, [Change("alice", 4, None, "69", None)])
    assert etag(service.answer()) == f"4-{EPOCH}".encode()


@pytest.mark.parametrize(
    ("path", "method", "headers"),
    [
        (BALANCE, "HEAD", {}),
        (BALANCE, "POST", {}),
        (f"{BALANCE}/", "GET", {}),
        (f"{BALANCE}?", "GET", {}),
        (f"{BALANCE}#x", "GET", {}),
        (f"{BALANCE}?consistency=strong", "GET", {}),
        (f"{BALANCE}?min_version=4", "GET", {}),
        (f"{BALANCE}?min_version=3-ba9876543210", "GET", {}),
        (f"{BALANCE}?min_version=3-", "GET", {}),
        (f"{BALANCE}?min_version={2**63}", "GET", {}),
        (f"{BALANCE}?min_version=3&min_version=3", "GET", {}),
        (BALANCE.replace("alice", "%61lice"), "GET", {}),
        (BALANCE.replace("alice", "bob"), "GET", {}),
        (BALANCE.replace("main", "other"), "GET", {}),
        (f"http://here{BALANCE}", "GET", {}),
        (BALANCE, "GET", {"Authorization": ""}),
        (BALANCE, "GET", {"Authorization": render_token(7, SECRET)}),
        (BALANCE, "GET", {"Authorization": f"Bearer {render_token(8, SECRET)}"}),
        (BALANCE, "GET", {"Authorization": f"Bearer {render_token(7, b't' * 32)}"}),
    ],
)
async def test_whatever_is_no_plain_hit_is_left_to_the_handler(
    service: Service, path: str, method: str, headers: dict[str, str]
) -> None:
    assert service.answer(path, method, **headers) is None


async def test_two_authorizations_are_left_to_the_handler(service: Service) -> None:
    twice = [("Authorization", AUTHORIZATION)] * 2
    assert service.hits.answer(parsed(f"GET {BALANCE} HTTP/1.1", *twice)) is None


async def test_a_key_without_the_scope_is_left_to_the_handler(database: Database) -> None:
    service = Service(database)
    await service.warm()
    await service.access._keys.get(9)
    assert service.answer(Authorization=f"Bearer {render_token(9, SECRET)}") is not None
    database.scopes = ("write",)
    await service.access._keys.get(10)
    assert service.answer(Authorization=f"Bearer {render_token(10, SECRET)}") is None


async def test_a_key_of_other_ledgers_is_left_to_the_handler(
    service: Service, database: Database
) -> None:
    for number, ledgers in ((9, (1, 2)), (10, (2,))):
        database.ledger_ids = ledgers
        await service.access._keys.get(number)
    assert service.answer(Authorization=f"Bearer {render_token(9, SECRET)}") is not None
    assert service.answer(Authorization=f"Bearer {render_token(10, SECRET)}") is None


async def test_a_key_is_looked_up_again_after_its_time(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = asyncio.get_running_loop()
    later = loop.time() + 2.0  # a revoked one must not work for longer
    assert service.answer() is not None
    monkeypatch.setattr(loop, "time", lambda: later)
    assert service.answer() is None


async def test_nothing_is_answered_from_a_memory_that_is_not_believed(service: Service) -> None:
    service.trust.lost()
    assert service.answer() is None
