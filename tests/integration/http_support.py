"""What the HTTP tests share: the service on a real socket, a client, and the database beside it."""

from __future__ import annotations

import asyncio
import itertools
import json
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import asyncpg
from aiohttp import ClientSession, web
from support.answers import Answer
from yarl import URL

from service.api.connections import Runner
from service.app import create_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from service.settings import Settings

JSON = {"Content-Type": "application/json"}
_keys = itertools.count(1)


def fresh_key() -> str:
    """A key no test has used."""
    return f"key-{next(_keys)}"


@dataclass(frozen=True)
class Api:
    """The service as a client sees it, with one key and one ledger."""

    session: ClientSession
    url: str
    token: str
    ledger: str
    database: asyncpg.Connection = field(repr=False)  # the migrator's: an administrator

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Answer:
        """`body`: bytes go as they are, anything else as JSON. `path` is sent as it stands."""
        sent = {"Authorization": f"Bearer {token or self.token}", **(headers or {})}
        if body is not None and "Content-Type" not in sent:
            sent |= JSON
        encoded = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        data = None if encoded is None else BytesIO(encoded)
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, data=data, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Answer:
        """Below the ledger."""
        return await self.request("GET", f"/v1/ledgers/{self.ledger}{path}", **options)

    async def post(self, path: str, body: object, **options: Any) -> Answer:
        """Below the ledger."""
        return await self.request("POST", f"/v1/ledgers/{self.ledger}{path}", body=body, **options)

    async def pay(self, body: object, key: str | None = None, **options: Any) -> Answer:
        """One payment, under a fresh key unless one is given."""
        headers = {"Idempotency-Key": key or fresh_key()}
        return await self.post("/payments", body, headers=headers, **options)

    async def batch(self, payments: object) -> Answer:
        return await self.post("/payments/batch", {"payments": payments})

    async def open(self, code: str, **options: Any) -> None:
        """Creates an account."""
        answer = await self.post("/accounts", {"code": code, "currency": "USD", **options})
        assert answer.status == 201, answer.body

    async def balance(self, code: str) -> str:
        answer = await self.get(f"/accounts/{code}/balance")
        assert answer.status == 200, answer.body
        balance: str = answer.json["balance"]
        return balance

    async def written(self) -> tuple[int, int, int]:
        """How many payments, entries and keys the ledger has."""
        row = await self.database.fetchrow(
            """
            select
              (select count(*) from ledger.payments join ledger.ledgers using (ledger_id)
               where name = $1),
              (select count(*) from ledger.ledger_entries join ledger.ledgers using (ledger_id)
               where name = $1),
              (select count(*) from ledger.idempotency_keys join ledger.ledgers using (ledger_id)
               where name = $1)
            """,
            self.ledger,
        )
        assert row is not None
        return (row[0], row[1], row[2])

    async def assert_sound(self) -> None:
        """The books: every payment's entries sum to zero, every balance is that of its entries."""
        unbalanced = await self.database.fetch(
            """
            select payment_id
            from ledger.ledger_entries
            join ledger.accounts using (ledger_id, account_id)
            group by payment_id, currency
            having sum(amount) <> 0
            """
        )
        off = await self.database.fetch(
            """
            select a.code
            from ledger.accounts a
            left join ledger.ledger_entries e using (ledger_id, account_id)
            group by a.ledger_id, a.account_id, a.code, a.balance, a.version
            having a.balance <> coalesce(sum(e.amount), 0) or a.version <> count(e.version)
            """
        )
        assert (unbalanced, off) == ([], [])

    def on(self, ledger: str) -> Api:
        """The same client on another ledger."""
        return replace(self, ledger=ledger)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[tuple[str, web.AppRunner]]:
    """The service on a free port: its URL and its runner."""
    runner = Runner(create_app(settings), shutdown_timeout=settings.deadline_seconds + 2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        yield f"http://127.0.0.1:{port}", runner
    finally:
        await runner.cleanup()


@contextmanager
def serving_aside(settings: Settings) -> Iterator[str]:
    """The service in a thread of its own, for many tests: its URL."""
    url: Future[str] = Future()
    stop: Future[asyncio.Event] = Future()

    async def serve() -> None:
        stop.set_result(event := asyncio.Event())
        async with serving(settings) as (where, _):
            url.set_result(where)
            await event.wait()

    with ThreadPoolExecutor(1) as executor, asyncio.Runner() as runner:
        served = executor.submit(runner.run, serve())
        served.add_done_callback(lambda _: url.cancel())  # it failed: do not wait for ever
        try:
            yield url.result()
        finally:
            runner.get_loop().call_soon_threadsafe(stop.result().set)
            served.result()


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the service, for what no client would send."""
    target = URL(url)
    return await asyncio.open_connection(target.host, target.port)


async def raw(url: str, request: bytes, *, more: bool = False) -> tuple[int, dict[str, str], bytes]:
    """Sends bytes as they are; status, headers and body of the answer. `more`: leave it open."""
    reader, writer = await connect(url)
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(15):
            return await read_answer(reader)
    finally:
        writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    """One HTTP answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ")[1])
    headers = {
        name.strip().title(): value.strip()
        for name, _, value in (line.partition(":") for line in head[1:] if line)
    }
    return status, headers, await reader.readexactly(int(headers.get("Content-Length", "0")))


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Polls an async condition until it is true; fails after 20 s."""
    try:
        async with asyncio.timeout(20):
            while not (found := await condition()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            return found
    except TimeoutError:
        raise AssertionError(f"never happened: {what}") from None


class Wire:
    """A TCP proxy before PostgreSQL whose lines can be cut, or go dead in one direction."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = asyncio.Event()
        self._open.set()
        self._ends_open = asyncio.Event()
        self._ends_open.set()
        self._server: asyncio.Server | None = None
        self.refusing = False
        self.refused = 0
        self.port = 0
        self.swallowed = 0  # bytes that did not get back
        self.held_ends = 0  # ends of the server's that did not get back

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hear_again()
        self.cut()

    def cut(self) -> None:
        """Ends every connection, from both sides."""
        for writer in self._writers:
            writer.transport.abort()

    def swallow_answers(self) -> None:
        """From now on nothing comes back from the server."""
        self._open.clear()

    def hold_ends(self) -> None:
        """From now on what the server says comes back, but not that it has closed the line."""
        self._ends_open.clear()

    def hear_again(self) -> None:
        self._open.set()
        self._ends_open.set()

    async def was_refused(self) -> bool:
        """Whether a connection was refused yet."""
        return self.refused > 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self.refusing:
                self.refused += 1
                return
            there, back = await asyncio.open_connection(*self._target)
            self._writers.add(back)
            try:
                await asyncio.gather(
                    self._pump(reader, back, held=False), self._pump(there, writer, held=True)
                )
            finally:
                back.close()
                self._writers.discard(back)
        except OSError:
            pass
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, held: bool
    ) -> None:
        try:
            while data := await reader.read(65536):
                if held and not self._open.is_set():
                    self.swallowed += len(data)
                    await self._open.wait()
                writer.write(data)
                await writer.drain()
            if held and not self._ends_open.is_set():
                self.held_ends += 1
                await self._ends_open.wait()
        except OSError:
            pass
        finally:
            writer.close()
