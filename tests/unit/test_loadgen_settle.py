"""Settling: the unknown is sent again under the same key, until it is definite or time is up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from loadgen.client import Client
from loadgen.history import History, Outcome, Payment
from loadgen.settle import Abandoned, Settler
from loadgen.target import Target

PAYMENT = Payment("k1", b'{"from":"a"}', ("posted",))
Answer = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse] | None]


class Scripted:
    """A server that answers one request after another as it is told; None: it hangs up."""

    def __init__(self, *answers: Answer | None) -> None:
        self._answers = list(answers)
        self.seen: list[tuple[str, bytes]] = []
        self.over = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append((request.headers.get("Idempotency-Key", ""), body))
        answer = self._answers.pop(0)
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        response = answer(request)
        if isinstance(response, Awaitable):
            response = await response
        if response is None:
            await self.over.wait()
            return web.Response()
        return response


def says(status: int, body: str = "{}", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: web.Response(
        status=status, text=body, content_type="application/json", headers=named
    )


def never(_: web.Request) -> None:
    """The answer does not come."""


@asynccontextmanager
async def settling(
    script: Scripted, patience: float = 5.0
) -> AsyncIterator[tuple[Settler, History]]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    history = History()
    try:
        async with Client(Target(url, "k"), "main") as client:
            yield Settler(client, history, lambda sent: sent + patience), history
    finally:
        script.over.set()
        await runner.cleanup()


async def test_every_kind_of_unknown_is_sent_again_with_the_same_key_and_bytes() -> None:
    script = Scripted(
        says(503, '{"code":"outcome_unknown"}'),
        None,
        says(409, '{"code":"idempotency_key_in_use"}', Retry_After="0"),
        says(500, '{"code":"internal_error"}'),
        says(201),
    )
    async with settling(script) as (settler, history):
        record = await settler.payment(PAYMENT)
    assert record is not None
    assert record.outcome is Outcome.POSTED
    assert script.seen == [("k1", PAYMENT.body)] * 5
    assert [(r.request, r.code) for r in history] == [
        (1, "outcome_unknown"),
        (1, "ServerDisconnectedError"),
        (1, "idempotency_key_in_use"),
        (1, "internal_error"),
        (1, "posted"),
    ]


@pytest.mark.parametrize("code", ["insufficient_funds", "key_reused", "unknown_account"])
async def test_a_definite_refusal_is_not_sent_again(code: str) -> None:
    script = Scripted(says(422, f'{{"code":"{code}"}}'))
    async with settling(script) as (settler, history):
        record = await settler.payment(PAYMENT)
    assert record is not None
    assert record.code == code
    assert len(history) == 1


async def test_a_client_that_gives_up_hangs_up_in_mid_call_and_asks_again() -> None:
    script = Scripted(never, says(201, Idempotent_Replayed="true"))
    async with settling(script) as (settler, history):
        record = await settler.payment(PAYMENT, give_up=0.05)
    assert record is not None
    assert (record.outcome, record.replayed) == (Outcome.POSTED, True)
    assert [r.code for r in history] == ["timeout", "posted"]


async def test_a_request_is_abandoned_when_time_is_up() -> None:
    script = Scripted(*[says(503, '{"code":"overloaded"}')] * 100)
    async with settling(script, patience=0.5) as (settler, history):
        assert await settler.payment(PAYMENT) is None
    assert 1 < len(history) < 20  # it pauses in between: on a slow machine they are fewer


async def test_nobody_listening_is_unknown_too() -> None:
    async with settling(Scripted()) as (_, _):
        pass
    history = History()
    # The port was just closed: connecting is refused.
    async with Client(Target("http://127.0.0.1:1", "k"), "main") as client:
        settler = Settler(client, history, lambda sent: sent + 0.1)
        assert await settler.payment(PAYMENT) is None
    assert {record.code for record in history} == {"not_connected"}


async def test_retry_after_is_waited_for() -> None:
    script = Scripted(says(503, '{"code":"overloaded"}', Retry_After="1"), says(201))
    async with settling(script) as (settler, history):
        await settler.payment(PAYMENT)
    first, second = history
    assert first.done_at is not None
    assert second.sent_at - first.done_at >= 0.99


async def test_a_quoted_key_is_sent_in_quotes() -> None:
    script = Scripted(says(201))
    async with settling(script) as (settler, _):
        await settler.payment(Payment("k1", b"{}", ("posted",), quoted=True))
    assert script.seen[0][0] == '"k1"'


async def test_of_a_batch_only_what_stays_unknown_is_sent_again() -> None:
    payments = [Payment(f"k{n}", b'{"from":"a"}', ("posted",)) for n in range(3)]
    script = Scripted(
        None,
        says(
            200,
            '{"results":[{"status":201,"replayed":false,"body":{"a": 1}},'
            '{"status":503,"replayed":false,"body":{"code":"account_busy"}},'
            '{"status":422,"replayed":true,"body":{"code":"insufficient_funds"}}]}',
        ),
        says(200, '{"results":[{"status":201,"replayed":true,"body":{}}]}'),
    )
    async with settling(script) as (settler, history):
        await settler.batch(payments)
    whole = b'{"payments":[%s]}' % b",".join(
        b'{"idempotency_key":"k%d","from":"a"}' % number for number in range(3)
    )
    assert [body for _, body in script.seen] == [
        whole,
        whole,
        b'{"payments":[{"idempotency_key":"k1","from":"a"}]}',
    ]
    definite = [(r.payment.key, r.code, r.replayed) for r in history if r.answer]
    assert definite == [
        ("k0", "posted", False),
        ("k1", "account_busy", False),
        ("k2", "insufficient_funds", True),
        ("k1", "posted", True),
    ]
    # The body is kept as it came: its bytes are what a single call must repeat.
    assert next(r.answer.body for r in history if r.answer) == b'{"a": 1}'


async def test_a_batch_that_is_refused_refuses_each_item() -> None:
    script = Scripted(says(400, '{"code":"body_malformed"}'))
    async with settling(script) as (settler, history):
        await settler.batch([PAYMENT, PAYMENT])
    assert [(r.outcome, r.code) for r in history] == [(Outcome.INVALID, "body_malformed")] * 2


async def test_a_batch_answer_with_too_few_results_is_unknown_for_all() -> None:
    script = Scripted(
        says(200, '{"results":[]}'),
        says(200, '{"results":[{"status":201,"replayed":false,"body":{}}]}'),
    )
    async with settling(script) as (settler, history):
        await settler.batch([PAYMENT])
    assert [r.code for r in history] == ["batch_malformed", "posted"]


LINES = [Payment(f"k{n}", b'{"from":"a"}', ("posted",)) for n in range(1, 4)]


def a_line(line: int, status: int, body: str = "{}", replayed: str = "false") -> str:
    return f'{{"line":{line},"status":{status},"replayed":{replayed},"body":{body}}}\n'


async def test_lines_cut_off_in_the_middle_are_answered_so_far_and_the_rest_is_sent_again() -> None:
    async def cut_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(a_line(1, 201, '{"a": 1}').encode() + b'{"line":2,"sta')
        assert request.transport is not None
        request.transport.abort()
        return response

    script = Scripted(
        says(503, '{"code":"overloaded"}'),
        cut_off,
        says(200, a_line(1, 503, '{"code":"account_busy"}') + a_line(2, 201, replayed="true")),
        says(200, a_line(1, 422, '{"code":"insufficient_funds"}')),
    )
    async with settling(script) as (settler, history):
        await settler.lines(LINES)
    assert [body.count(b"\n") + 1 for _, body in script.seen] == [3, 3, 2, 1]
    assert script.seen[2][1] == (
        b'{"idempotency_key":"k2","from":"a"}\n{"idempotency_key":"k3","from":"a"}'
    )
    told = [(r.payment.key, r.code, r.replayed) for r in history]
    assert told[:3] == [(f"k{n}", "overloaded", False) for n in range(1, 4)]
    assert told[3] == ("k1", "posted", False)
    assert [key for key, *_ in told[4:6]] == ["k2", "k3"]
    assert not any(r.answer for r in list(history)[4:6])
    assert told[6:] == [
        ("k2", "account_busy", False),
        ("k3", "posted", True),
        ("k2", "insufficient_funds", False),
    ]
    assert next(r.answer.body for r in history if r.code == "posted" and r.answer) == b'{"a": 1}'


@pytest.mark.parametrize("wrong", ["not json\n", a_line(4, 201), a_line(1, 201) * 2, ""])
async def test_an_answer_in_lines_that_does_not_fit_leaves_the_rest_unknown(wrong: str) -> None:
    def all_posted(_: web.Request) -> web.Response:
        count = script.seen[-1][1].count(b"\n") + 1
        return web.Response(text="".join(a_line(n, 201) for n in range(1, count + 1)))

    script = Scripted(says(200, wrong), all_posted)
    async with settling(script) as (settler, history):
        await settler.lines(LINES)
    posted = Counter(r.payment.key for r in history if r.outcome is Outcome.POSTED)
    assert posted == {"k1": 1, "k2": 1, "k3": 1}
    assert {r.code for r in history} <= {"posted", "line_malformed", "line_missing"}
    assert len(history) > 3


async def test_a_read_is_repeated_through_trouble_and_given_up_when_time_is_up() -> None:
    async with settling(Scripted(None, says(503), says(200, "[]"))) as (settler, _):
        assert (await settler.read("accounts/a/balance")).body == b"[]"
    async with settling(Scripted(*[says(503)] * 100), patience=0.1) as (settler, _):
        with pytest.raises(Abandoned):
            await settler.read("accounts/a/balance")
