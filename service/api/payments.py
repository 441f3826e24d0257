"""/v1/ledgers/{ledger}/payments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from service.api import answers
from service.api.boundary import REQUEST_ID, current_id
from service.api.idempotency_keys import IDEMPOTENCY_KEY, check_key, header_key
from service.api.json_bodies import (
    BATCH_BODY_LIMIT,
    BODY_LIMIT,
    NDJSON,
    check_json,
    check_type,
    is_ndjson,
    read_body,
    read_chunks,
)
from service.api.parameters import payment_id, query
from service.api.payment_bodies import read_batch, read_payment
from service.api.payment_lines import Lines, post_lines
from service.api.resources import ACCESS, GATEWAY, POSTER, REQUESTS
from service.api.tokens import write_token
from service.errors import Problem, render
from service.ledger.gateway import entries_of, values_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.api.payment_lines import Answered, Line
    from service.ledger.gateway import PaymentResult
    from service.ledger.poster import Owner

_REPLAYED = "Idempotent-Replayed"
_EPOCH = "Payledger-Epoch"
_TOKENS = "Payledger-Tokens"

# Of headers, proxies and clients take 8 KiB or so, all together.
_TOKENS_LIMIT = 4096

# When nothing more can be said of any payment of a batch, it is said of the batch.
_ABOUT_ALL = ("not_attempted", "outcome_unknown")


ROUTE = "/v1/ledgers/{ledger}/payments"


async def post_payment(request: web.Request) -> web.Response:
    """201 when posted, first and replay alike. Most are posted by service.api.plain_payments."""
    poster = request.app[POSTER]
    deadline = poster.deadline()
    owner = await request.app[ACCESS].identify(request, "write")
    check_type(request)
    body = await read_body(request, BODY_LIMIT)
    idem_key = header_key(request)
    check_json(body)
    result = await poster.post_payment(read_payment(body, idem_key), owner, deadline)
    _count(request, result)
    return reply(request.match_info["ledger"], result, 201).response()


async def post_payments(request: web.Request) -> web.StreamResponse:
    """200, with what each payment would have been answered by itself.

    A JSON array is one call, and is answered when all is known; lines are a stream.
    """
    poster = request.app[POSTER]
    deadline = poster.deadline()
    owner = await request.app[ACCESS].identify(request, "write")
    if is_ndjson(request):
        if IDEMPOTENCY_KEY in request.headers:
            raise Problem("batch_idempotency_key_not_allowed")
        return await _stream_payments(request, owner)
    check_type(request)
    body = await read_body(request, BATCH_BODY_LIMIT)
    if IDEMPOTENCY_KEY in request.headers:
        raise Problem("batch_idempotency_key_not_allowed")
    check_json(body)
    results = await poster.post_payments(read_batch(body), owner, deadline)
    for result in results:
        _count(request, result)
    codes = {result.code for result in results}
    if len(codes) == 1 and (code := codes.pop()) in _ABOUT_ALL:
        raise Problem(code)
    epoch = next((result.epoch for result in results if result.epoch), None)
    return answers.document(
        b'{"epoch":%b,"results":[%b]}'
        % (
            b"null" if epoch is None else b'"%b"' % epoch.encode(),
            b",".join(map(_result, results)),
        ),
        200,
    )


async def _chunks(request: web.Request) -> AsyncIterator[list[Line]]:
    lines = Lines()
    async for data in read_chunks(request):
        for chunk in lines.feed(data):
            yield chunk
    for chunk in lines.end():
        yield chunk


async def _stream_payments(request: web.Request, owner: Owner) -> web.StreamResponse:
    """200 and a line for each line, while they come. Without its end it was cut off."""
    response = web.StreamResponse(headers={"Content-Type": NDJSON, REQUEST_ID: current_id()})
    await response.prepare(request)

    async def answer(answered: list[Answered]) -> None:
        for _, result in answered:
            _count(request, result)
        await response.write(b"".join([_line(line.number, result) for line, result in answered]))

    cut_off = False
    try:
        await post_lines(request.app[POSTER], owner, _chunks(request), answer)
        await response.write_eof()
    except* (ConnectionError, Problem):
        # The client is gone, or it sent no more: nothing can be said to it any more.
        cut_off = True
    if cut_off:  # raised up there, Python before 3.11.4 would wrap it in a group
        raise ConnectionResetError
    return response


async def get_payment(request: web.Request) -> web.Response:
    """The same document as posting it answered."""
    ledger_id = await request.app[ACCESS].admit(request, "read")
    query(request)
    id_ = payment_id(request)
    body = await request.app[GATEWAY].get_payment(id_, ledger_id)
    return answers.document(body.encode(), 200, {"ETag": f'"{id_}"'})


async def find_payment(request: web.Request) -> web.Response:
    """What a retry with the key would be answered; a posted payment with 200."""
    ledger_id = await request.app[ACCESS].admit(request, "read")
    given = query(request, "key")
    if "key" not in given:
        raise Problem("parameter_malformed", {"parameter": "key", "reason": "missing"})
    check_key(given["key"])
    result = await request.app[GATEWAY].find_payment_by_key(given["key"], ledger_id)
    return reply(request.match_info["ledger"], result, 200).response()


def _count(request: web.Request, result: PaymentResult) -> None:
    request.app[REQUESTS].paid(result.outcome, result.code, replayed=result.replayed)


def reply(ledger: str, result: PaymentResult, posted_status: int) -> answers.Reply:
    """The answer to whoever asks for one payment. Raises Problem for what is not posted."""
    if result.outcome != "posted":
        raise Problem(
            result.code or "internal_error",
            values_of(result),
            headers={_REPLAYED: "true"} if result.replayed else None,
        )
    headers = {
        "Content-Type": answers.JSON,
        "Location": f"/v1/ledgers/{ledger}/payments/{result.payment_id}",
        "ETag": f'"{result.payment_id}"',
        **_tokens(result),
    }
    if result.replayed:
        headers[_REPLAYED] = "true"
    return answers.Reply(posted_status, headers, result.body)


def _line(number: int, result: PaymentResult) -> bytes:
    return b'{"line":%d,%b\n' % (number, _result(result)[1:])


def _tokens(result: PaymentResult) -> dict[str, str]:
    """The token of each account: whoever reads with it sees this payment, wherever it reads."""
    last = {entry.account: entry.version for entry in entries_of(result)}
    tokens = ", ".join(
        f"{code}={write_token(version, result.epoch)}" for code, version in last.items()
    )
    headers = {_EPOCH: result.epoch}
    if len(tokens) <= _TOKENS_LIMIT:
        headers[_TOKENS] = tokens
    return headers


def _result(result: PaymentResult) -> bytes:
    if result.outcome == "posted":
        status, body = 201, result.body
    else:
        status, body, _ = render(result.code or "internal_error", values_of(result))
    replayed = b"true" if result.replayed else b"false"
    return b'{"status":%d,"replayed":%b,"body":%b}' % (status, replayed, body)
