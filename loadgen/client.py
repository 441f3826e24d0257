"""Carries requests to the API and brings back what was answered, unjudged.

The generator shares a machine with what it measures, so the common path does as little as aiohttp
allows: no cookies, no decompression, headers and bodies made once.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Protocol, Self

import aiohttp
import msgspec
from yarl import URL

from loadgen.history import Answer, Payment
from loadgen.target import Target

CONNECT_SECONDS, ANSWER_SECONDS = 5.0, 15.0
"""How long to wait before an answer counts as lost; waiting for a free connection is no part."""
CONNECTIONS = 512
"""At most so many at once: copies that race for a key must not wait for each other here."""
NDJSON = "application/x-ndjson"


class AnswerLost(Exception):
    """No whole answer came: nothing is known about what the request did."""


class Reply(msgspec.Struct, frozen=True):
    """An answer and what came with it that no replay must repeat."""

    answer: Answer
    replayed: bool
    retry_after: float | None
    headers: Mapping[str, str] = {}
    url: str = ""
    """Who answered."""


class Carrier(Protocol):
    """What carries requests: one client, or several."""

    async def post_payment(self, payment: Payment, give_up: float | None = None) -> Reply:
        """Send a payment; after `give_up` seconds the client hangs up in mid-call."""

    async def post(self, path: str, body: bytes) -> Reply:
        """Send a body to a path under the ledger."""

    async def post_lines(self, path: str, body: bytes, take: Callable[[bytes], None]) -> Reply:
        """Send lines and have every line of the answer taken as it comes; raises AnswerLost."""

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Reply:
        """Read a path under the ledger."""


class Fleet:
    """Several payledgers of one database: each request goes to the next of them.

    So a retry meets another process than the first attempt, and a read another than the write.
    """

    def __init__(self, clients: Sequence[Client]) -> None:
        self._next = itertools.cycle(clients)

    async def post_payment(self, payment: Payment, give_up: float | None = None) -> Reply:
        """Send a payment to the next of them."""
        return await next(self._next).post_payment(payment, give_up)

    async def post(self, path: str, body: bytes) -> Reply:
        """Send a body to the next of them."""
        return await next(self._next).post(path, body)

    async def post_lines(self, path: str, body: bytes, take: Callable[[bytes], None]) -> Reply:
        """Send lines to the next of them."""
        return await next(self._next).post_lines(path, body, take)

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Reply:
        """Read from the next of them."""
        return await next(self._next).get(path, query)


class Client:
    """One connection pool to one ledger of one payledger."""

    def __init__(self, target: Target, ledger: str) -> None:
        self._target = target
        self._ledger = ledger
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"},
            skip_auto_headers=("User-Agent", "Accept-Encoding"),
            auto_decompress=False,
            timeout=_timeout(ANSWER_SECONDS),
        )
        self.requests = 0
        self._urls: dict[str, URL] = {}
        self._base = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def post_payment(self, payment: Payment, give_up: float | None = None) -> Reply:
        """Send a payment; after `give_up` seconds the client hangs up in mid-call."""
        key = f'"{payment.key}"' if payment.quoted else payment.key
        return await self._post("payments", payment.body, {"Idempotency-Key": key}, give_up)

    async def post(self, path: str, body: bytes) -> Reply:
        """Send a body to a path under the ledger."""
        return await self._post(path, body, {}, None)

    async def post_lines(self, path: str, body: bytes, take: Callable[[bytes], None]) -> Reply:
        """Send lines and have every line of the answer taken as it comes; raises AnswerLost."""
        async with self._sent(
            "POST", self._url(path), data=body, headers={"Content-Type": NDJSON}
        ) as response:
            if response.status != 200:
                return self._reply(response, await response.read())
            async for line in response.content:
                take(line)
            return self._reply(response, b"")

    async def get(self, path: str, query: Mapping[str, str | int] | None = None) -> Reply:
        """Read a path under the ledger."""
        url = self._url(path)
        if query:
            url = url.with_query(query)
        return await self._exchange("GET", url)

    async def _post(
        self, path: str, body: bytes, headers: Mapping[str, str], give_up: float | None
    ) -> Reply:
        if give_up is None:
            return await self._exchange("POST", self._url(path), data=body, headers=headers)
        return await self._exchange(
            "POST", self._url(path), data=body, headers=headers, timeout=_timeout(give_up)
        )

    async def _exchange(self, method: str, url: URL, **options: Any) -> Reply:
        async with self._sent(method, url, **options) as response:
            return self._reply(response, await response.read())

    @asynccontextmanager
    async def _sent(
        self, method: str, url: URL, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Whatever keeps an answer, or the rest of it, from coming, is an AnswerLost."""
        self.requests += 1
        try:
            async with self._session.request(
                method, url, allow_redirects=False, **options
            ) as response:
                yield response
        except aiohttp.ClientConnectorError as error:
            self._target.look_again()
            raise AnswerLost("not_connected") from error
        except TimeoutError as error:
            raise AnswerLost("timeout") from error
        except (aiohttp.ClientError, OSError) as error:
            raise AnswerLost(type(error).__name__) from error

    def _reply(self, response: aiohttp.ClientResponse, body: bytes) -> Reply:
        headers = response.headers
        return Reply(
            Answer(
                response.status,
                body,
                headers.get("Content-Type"),
                headers.get("ETag"),
                headers.get("Location"),
            ),
            headers.get("Idempotent-Replayed") == "true",
            _seconds(headers.get("Retry-After")),
            headers,
            self._base,
        )

    def _url(self, path: str) -> URL:
        if self._base != self._target.url:
            self._base = self._target.url
            self._urls.clear()
        url = self._urls.get(path)
        if url is None:
            url = URL(f"{self._base}/v1/ledgers/{self._ledger}/{path}", encoded=True)
            if len(self._urls) < 100_000:
                self._urls[path] = url
        return url


def _timeout(answer: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=answer)


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None
