"""Payments as lines: answered in order while they come, whatever a line holds."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from http_support import connect, fresh_key, serving, until

from service.api.json_bodies import BODY_LIMIT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from http_support import Api

    from service.settings import Settings

NDJSON = {"Content-Type": "application/x-ndjson"}


@pytest.fixture
async def books(api: Api) -> Api:
    await api.open("bank", min_balance=None)
    await api.open("alice")
    return api


def line(**changes: Any) -> bytes:
    payment = {"from": "bank", "to": "alice", "amount": "1", "currency": "USD"}
    return json.dumps({"idempotency_key": fresh_key()} | payment | changes).encode() + b"\n"


async def stream(api: Api, body: bytes) -> list[dict[str, Any]]:
    answer = await api.post("/payments/batch", body, headers=NDJSON)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["X-Request-Id"]
    return [json.loads(text) for text in answer.body.splitlines()]


async def test_every_line_is_answered_in_order_as_by_itself(books: Api) -> None:
    keys = [fresh_key() for _ in range(1800)]
    body = b"".join(line(idempotency_key=key, description=key) for key in keys)
    answers = await stream(books, body)
    assert [answer["line"] for answer in answers] == list(range(1, 1801))
    assert [answer["body"]["description"] for answer in answers] == keys
    assert {(answer["status"], answer["replayed"]) for answer in answers} == {(201, False)}
    again = await stream(books, body)
    assert {answer["replayed"] for answer in again} == {True}
    assert [answer["body"] for answer in again] == [answer["body"] for answer in answers]
    assert await books.balance("alice") == "1800"
    await books.assert_sound()


async def test_a_line_that_is_wrong_is_answered_in_its_place(books: Api) -> None:
    body = b"".join(
        [
            line(),
            b"not JSON\n",
            b"\n",
            line(description="d" * BODY_LIMIT),
            line(to="nobody"),
            b'{"from":"bank","from":"alice"}\r\n',
            line(from_="x"),
            b"5\n",
            line()[:-1],
        ]
    )
    told = [(a["line"], a["status"], a["body"].get("code")) for a in await stream(books, body)]
    assert told == [
        (1, 201, None),
        (2, 400, "body_malformed"),
        (4, 413, "body_too_large"),
        (5, 422, "unknown_account"),
        (6, 400, "body_malformed"),
        (7, 400, "payment_malformed"),
        (8, 400, "payment_malformed"),
        (9, 201, None),
    ]
    assert await books.balance("alice") == "2"


async def test_one_key_on_many_lines_posts_once(books: Api) -> None:
    text = line()
    answers = await stream(books, text * 1200)
    assert [answer["replayed"] for answer in answers] == [False] + [True] * 1199
    assert await books.balance("alice") == "1"


async def test_nothing_is_answered_with_nothing(books: Api) -> None:
    assert await stream(books, b"") == []


async def test_a_stream_takes_no_key_of_its_own(books: Api) -> None:
    headers = NDJSON | {"Idempotency-Key": "k"}
    answer = await books.post("/payments/batch", line(), headers=headers)
    assert answer.outcome == (400, "batch_idempotency_key_not_allowed")


@pytest.mark.parametrize(
    "content_type",
    [
        "Application/X-NDJSON",
        "application/x-ndjson; charset=utf-8",
        'application/x-ndjson;charset="UTF-8"',
        "application/x-ndjson ; charset = utf-8 ;",
    ],
)
async def test_lines_may_be_declared_in_several_ways(books: Api, content_type: str) -> None:
    answer = await books.post("/payments/batch", line(), headers={"Content-Type": content_type})
    assert (answer.status, answer.json["status"]) == (200, 201)


@pytest.mark.parametrize(
    "content_type",
    ["application/x-ndjson; charset=latin-1", "application/x-ndjson; x=y", "application/x-ndjsons"],
)
async def test_lines_in_another_charset_or_form_are_refused(books: Api, content_type: str) -> None:
    answer = await books.post("/payments/batch", line(), headers={"Content-Type": content_type})
    assert answer.outcome == (415, "unsupported_media_type")
    assert await books.written() == (0, 0, 0)


async def test_lines_are_answered_before_the_next_ones_are_sent(books: Api) -> None:
    answered: asyncio.Queue[None] = asyncio.Queue()

    async def lines() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield line()
            await answered.get()  # the client waits for the answer before it goes on

    url = f"{books.url}/v1/ledgers/{books.ledger}/payments/batch"
    headers = NDJSON | {"Authorization": f"Bearer {books.token}"}
    async with (
        asyncio.timeout(20),
        books.session.post(url, data=lines(), headers=headers) as response,
    ):
        for number in range(1, 4):
            answer = json.loads(await response.content.readline())
            assert (answer["line"], answer["status"]) == (number, 201)
            answered.put_nowait(None)
        assert await response.content.read() == b""


async def begin_lines(books: Api) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream whose first line has been answered; more may follow."""
    sent = line()
    head = (
        f"POST /v1/ledgers/{books.ledger}/payments/batch HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {books.token}\r\nContent-Type: application/x-ndjson\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    reader, writer = await connect(books.url)
    writer.write(head.encode() + b"%x\r\n%b\r\n" % (len(sent), sent))
    async with asyncio.timeout(20):
        await reader.readuntil(b'"status":201')
    return reader, writer


async def test_a_client_that_leaves_amid_its_lines_is_no_defect(
    books: Api, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def handled() -> bool:
        tasks = asyncio.all_tasks()
        return not any(task.get_coro().__qualname__ == "RequestHandler.start" for task in tasks)

    async with serving(settings) as (url, _):
        _, writer = await begin_lines(replace(books, url=url))
        assert not await handled()
        writer.close()
        await until(handled, "the request has come to its end")
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_malformed_chunk_amid_lines_ends_them_at_once(
    books: Api, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await begin_lines(books)
    async with asyncio.timeout(20):  # a third of what a stream may rest
        writer.write(b"no chunk\r\n")
        rest = await reader.read()
    writer.close()
    assert not rest.endswith(b"0\r\n\r\n"), "an answer that was cut off has no end"
    assert await books.balance("alice") == "1"
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
    await books.assert_sound()
