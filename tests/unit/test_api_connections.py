"""What a connection answers at once, and that all else keeps its order and its form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from support.waiting import until

from service.api.connections import Runner
from service.api.resources import METRICS, SHORTCUTS, Shortcuts
from service.metrics.instruments import Metrics
from service.metrics.memory import Region

if TYPE_CHECKING:
    from aiohttp.http import RawRequestMessage

HIT = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhit"
KEEPALIVE_SECONDS = 75.0
METRICS_OF_ALL = Metrics(Region.alone())  # nobody looks at them


class Served:
    """A server with shortcuts for GET /hit and POST /pay; the handler answers the rest.

    The handler and /pay wait for `gate` to be open.
    """

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.looked_at: list[str] = []
        self.hit = HIT
        app = web.Application(handler_args={"keepalive_timeout": KEEPALIVE_SECONDS})
        app[METRICS] = METRICS_OF_ALL
        app[SHORTCUTS] = Shortcuts(self._hit, self._pay)
        app.router.add_route("*", "/{any}", self._handle)
        self.runner = Runner(app, shutdown_timeout=1.0)
        self.port = 0

    def _hit(self, request: RawRequestMessage) -> bytes | None:
        self.looked_at.append(request.path)
        return self.hit if request.path == "/hit" else None

    def _pay(self, request: RawRequestMessage, body: bytes) -> Coroutine[None, None, bytes] | None:
        self.looked_at.append(request.path)
        return self._paid(body) if request.path == "/pay" else None

    async def _paid(self, body: bytes) -> bytes:
        await self.gate.wait()
        answer = b"paid " + body
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(answer), answer)

    async def _handle(self, request: web.Request) -> web.Response:
        await self.gate.wait()
        response = web.Response(body=b"handled " + await request.read())
        if request.path == "/last":
            response.force_close()
        return response

    @property
    def connections(self) -> list[Any]:
        """Those that are open."""
        server = self.runner.server
        assert isinstance(server, web.Server)
        return server.connections

    @property
    def connection(self) -> Any:
        """The only one."""
        (connection,) = self.connections
        return connection


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, text: str) -> None:
        self.writer.write(text.encode())

    async def answer(self) -> tuple[int, bytes]:
        """Status and body of the next one."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        (length,) = [
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ]
        return int(head.split(b" ")[1]), await self.reader.readexactly(length)


async def begin_to_pay(served: Served, client: Client) -> None:
    """What is asked for first; it is worked on until the gate is open."""
    served.gate.clear()
    client.send(post("/pay", "1"))
    await until(lambda: served.looked_at == ["/pay"], "it is worked on")


async def until_idle(served: Served) -> None:
    await until(lambda: served.connection._waiter is not None, "aiohttp waits for a request")


def post(path: str, body: str, *headers: str) -> str:
    length = f"Content-Length: {len(body)}"
    return "\r\n".join((f"POST {path} HTTP/1.1", "Host: here", length, *headers, "", body))


def get(path: str, *headers: str) -> str:
    return "\r\n".join((f"GET {path} HTTP/1.1", "Host: here", *headers, "", ""))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    served = Served()
    await served.runner.setup()
    site = web.TCPSite(served.runner, "127.0.0.1", 0)
    await site.start()
    served.port = served.runner.addresses[0][1]
    yield served
    served.gate.set()
    await served.runner.cleanup()


@pytest.fixture
async def client(served: Served) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", served.port))
    yield client
    client.writer.close()


async def test_hits_and_others_take_turns_on_one_connection(served: Served, client: Client) -> None:
    for path, body in (("/hit", b"hit"), ("/else", b"handled "), ("/hit", b"hit")) * 50:
        client.send(get(path))
        assert await client.answer() == (200, body)
    assert served.looked_at == ["/hit", "/else", "/hit"] * 50


async def test_a_head_may_come_in_pieces(served: Served, client: Client) -> None:
    client.send(get("/else"))
    assert await client.answer() == (200, b"handled ")
    await until_idle(served)
    for byte in get("/hit").encode():
        served.connection.data_received(bytes([byte]))
    assert await client.answer() == (200, b"hit")
    assert served.looked_at == ["/else", "/hit"]


async def test_a_body_is_no_request(served: Served, client: Client) -> None:
    """However it looks, and whenever it comes."""
    body = get("/hit")
    client.send(f"POST /else HTTP/1.1\r\nHost: here\r\nContent-Length: {len(body)}\r\n\r\n")
    await until(lambda: served.connection._current_request is not None, "the head was read")
    client.send(body)
    assert await client.answer() == (200, b"handled " + body.encode())
    assert served.looked_at == []


async def test_a_body_that_came_with_its_head_is_handed_over(
    served: Served, client: Client
) -> None:
    for body in ("1", "{}" * 1000, "\r\n\r\n" * 10, "x" * 65536):
        client.send(post("/pay", body))
        assert await client.answer() == (200, b"paid " + body.encode())
        client.send(get("/else"))
        assert await client.answer() == (200, b"handled ")
    assert served.looked_at == ["/pay", "/else"] * 4


@pytest.mark.parametrize(
    "request_",
    [
        get("/hit", "Content-Length: 2") + "no",  # only what has no body may be a hit
        post("/else", "no"),
        post("/pay", "no", "Connection: close"),
        post("/pay", "no", "Expect: 100-continue"),
        post("/pay", "no", "Connection: upgrade", "Upgrade: websocket"),
        post("/pay", "no", "Connection: keep-alive").replace("1.1", "1.0", 1),
        get("/pay", "Transfer-Encoding: chunked").replace("GET", "POST") + "2\r\nno\r\n0\r\n\r\n",
        post("/pay", "x" * 65537),
    ],
)
async def test_what_is_not_plain_is_left_to_the_handler(
    served: Served, client: Client, request_: str
) -> None:
    client.send(request_)
    head = await client.reader.readuntil(b"\r\n\r\n")
    if b" 100 " in head:
        head = await client.reader.readuntil(b"\r\n\r\n")
    assert (await client.reader.readexactly(9))[:8] == b"handled "


@pytest.mark.parametrize("headers", [("Connection: close",), ("Expect: 100-continue",)])
async def test_a_hit_that_ends_the_connection_is_left_to_the_handler(
    served: Served, client: Client, headers: tuple[str, ...]
) -> None:
    client.send(get("/hit", *headers))
    head = await client.reader.readuntil(b"\r\n\r\n")
    assert head.split(b" ")[1] in (b"100", b"200")
    assert served.looked_at == []


async def test_with_an_access_log_every_request_is_routed(
    served: Served, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "payledger.access"):
        client.send(get("/hit"))
        assert await client.answer() == (200, b"handled ")


async def test_a_body_in_pieces_is_left_to_the_handler(served: Served, client: Client) -> None:
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")
    for piece in (post("/pay", "")[:-2].replace("0", "2") + "\r\nn", "o"):
        served.connection.data_received(piece.encode())
    assert await client.answer() == (200, b"handled no")
    assert served.looked_at == ["/hit"]


async def test_a_head_in_pieces_may_be_followed_by_its_body(served: Served, client: Client) -> None:
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")
    whole = post("/pay", "body")
    for piece in (whole[:30], whole[30:]):
        served.connection.data_received(piece.encode())
    assert await client.answer() == (200, b"paid body")


async def test_what_comes_while_a_body_is_worked_on_waits(served: Served, client: Client) -> None:
    await begin_to_pay(served, client)
    client.send(get("/hit"))
    client.send(post("/pay", "2"))
    assert not served.connection.transport.is_reading()
    served.gate.set()
    assert await client.answer() == (200, b"paid 1")
    statuses = [(await client.answer())[0] for _ in range(2)]
    assert statuses == [200, 200]
    client.send(post("/pay", "3"))
    assert await client.answer() == (200, b"paid 3")


async def test_a_client_that_goes_away_ends_nothing(served: Served, client: Client) -> None:
    await begin_to_pay(served, client)
    working = served.connection._answering
    client.writer.transport.abort()
    served.gate.set()
    await working
    await until(lambda: not served.connections, "the connection is gone")


async def ask_between(served: Served, client: Client, path: str, request: str) -> None:
    """Asks for `path`, and `request` when that is answered and aiohttp's task is not back yet."""
    served.gate.clear()
    client.send(get(path))
    await until(lambda: served.connection._current_request is not None, "it is under way")
    connection = served.connection
    finish = type(connection).finish_response
    asked = asyncio.get_running_loop().create_future()

    def ask() -> None:
        connection.data_received(request.encode())
        asked.set_result(connection._waiter)

    async def finish_and_ask(*arguments: Any) -> Any:
        sent = await finish(*arguments)
        asyncio.get_running_loop().call_soon(ask)
        return sent

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection), "finish_response", finish_and_ask)
        served.gate.set()
        assert await client.answer() == (200, b"handled ")
        assert await asked is None


@pytest.mark.parametrize(
    ("request_", "body"), [(get("/hit"), b"hit"), (post("/pay", "1"), b"paid 1")]
)
async def test_who_asks_fast_is_answered_at_once_after_an_ordinary_answer(
    served: Served, client: Client, request_: str, body: bytes
) -> None:
    await ask_between(served, client, "/else", request_)
    assert await client.answer() == (200, body)
    assert len(served.looked_at) == 2
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")


async def test_nothing_follows_an_answer_that_ends_the_connection(
    served: Served, client: Client
) -> None:
    await ask_between(served, client, "/last", get("/hit"))
    assert await client.reader.read() == b""
    assert served.looked_at == ["/last"]


async def test_what_is_worked_on_is_finished_when_the_service_stops(
    served: Served, client: Client
) -> None:
    await begin_to_pay(served, client)
    stopping = asyncio.create_task(served.runner.cleanup())
    await until(lambda: served.connection._handler_waiter is not None, "it is waited for")
    served.gate.set()
    assert await client.answer() == (200, b"paid 1")
    await stopping
    assert await client.reader.read() == b""


async def test_a_connection_is_not_idle_while_a_body_is_worked_on(
    served: Served, client: Client
) -> None:
    await begin_to_pay(served, client)
    connection = served.connection
    connection._next_keepalive_close_time = 0.0
    connection._process_keepalive()
    served.gate.set()
    assert await client.answer() == (200, b"paid 1")
    connection._next_keepalive_close_time = 0.0
    connection._process_keepalive()
    assert await client.reader.read() == b""


async def test_answers_keep_the_order_of_requests(served: Served, client: Client) -> None:
    """What is asked while another answer is under way waits for that."""
    served.gate.clear()
    client.send(get("/else"))
    await until(lambda: served.connection._current_request is not None, "it is under way")
    client.send(get("/hit"))
    await until(lambda: len(served.connection._messages) == 1, "the next one was read")
    served.gate.set()
    assert [await client.answer() for _ in range(2)] == [(200, b"handled ")] * 2
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")


async def test_requests_that_come_together_are_answered_in_order(
    served: Served, client: Client
) -> None:
    for _ in range(100):  # more than aiohttp lets wait
        client.send(get("/hit"))
        assert await client.answer() == (200, b"hit")
    for first in ("/hit", "/else"):
        client.send(get(first) + get("/other") + get("/hit") * 100)
        answers = [await client.answer() for _ in range(102)]
        assert [status for status, _ in answers] == [200] * 102
        await until_idle(served)
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")


async def test_what_is_not_http_is_refused_after_a_hit(served: Served, client: Client) -> None:
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")
    client.send("no HTTP\r\n\r\n")
    status, body = await client.answer()
    assert status == 400
    assert b'"request_malformed"' in body
    assert await client.reader.read() == b""  # closed
    assert served.looked_at == ["/hit"]


async def test_a_hit_keeps_the_connection_alive(served: Served, client: Client) -> None:
    """As any answer does: 75 s from the last one on."""
    loop = asyncio.get_running_loop()
    for path in ("/else", "/hit"):
        served_at = loop.time()
        client.send(get(path))
        await client.answer()
        assert served.connection._next_keepalive_close_time >= served_at + KEEPALIVE_SECONDS


async def test_who_does_not_read_is_not_written_for_without_bounds(
    served: Served, client: Client
) -> None:
    """When the buffers are full requests are left to aiohttp, which waits until they are not."""
    body = b"x" * 2**20
    served.hit = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    client.reader._transport.pause_reading()  # type: ignore[attr-defined]
    served.gate.clear()
    client.send(get("/else"))
    await until(lambda: served.connection._current_request is not None, "there is a connection")
    served.gate.set()
    await until_idle(served)
    while not served.connection.writing_paused:
        served.connection.data_received(get("/hit").encode())
    asked = len(served.looked_at) - 1
    served.gate.clear()
    client.send(get("/hit"))
    await until(lambda: served.connection._current_request is not None, "the handler has it")
    assert served.looked_at == ["/else"] + ["/hit"] * asked
    served.gate.set()
    client.reader._transport.resume_reading()  # type: ignore[attr-defined]
    assert await client.answer() == (200, b"handled ")
    assert [await client.answer() for _ in range(asked)] == [(200, body)] * asked
    assert await client.answer() == (200, b"handled ")


async def test_idle_connections_end_with_the_service(served: Served, client: Client) -> None:
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")
    await served.runner.cleanup()
    assert await client.reader.read() == b""


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (get("/hit"), b"hit"),
        (post("/pay", "1"), b"paid 1"),
        (get("/else"), b"handled "),
        (post("/else", "1"), b"handled 1"),
    ],
)
async def test_who_sends_no_more_is_still_answered(
    served: Served, client: Client, request_: str, answer: bytes
) -> None:
    served.gate.clear()
    client.send(request_)
    client.writer.write_eof()
    await until(lambda: served.looked_at != [], "it was read")
    served.gate.set()
    assert await client.answer() == (200, answer)
    assert await client.reader.read() == b""


@pytest.mark.parametrize("sent", ["", "GET /else HT", post("/else", "12")[:-1]])
async def test_the_half_of_a_request_is_not_waited_for(
    served: Served, client: Client, sent: str
) -> None:
    client.send(get("/hit"))
    assert await client.answer() == (200, b"hit")
    client.send(sent)
    client.writer.write_eof()
    assert await client.reader.read() == b""
    await until(lambda: not served.connections, "the connection is gone")
