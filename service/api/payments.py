"""/v1/ledgers/{ledger}/payments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.api import answers
from service.api.idempotency_keys import IDEMPOTENCY_KEY, check_key, header_key
from service.api.json_bodies import (
    BATCH_BODY_LIMIT,
    BODY_LIMIT,
    check_json,
    check_type,
    read_body,
)
from service.api.parameters import payment_id, query
from service.api.payment_bodies import read_batch, read_payment
from service.api.resources import ACCESS, GATEWAY, POSTER, REQUESTS
from service.api.tokens import write_token
from service.errors import Problem, render
from service.ledger.gateway import entries_of, values_of

if TYPE_CHECKING:
    from aiohttp import web

    from service.ledger.gateway import PaymentResult

_REPLAYED = "Idempotent-Replayed"
_EPOCH = "Payledger-Epoch"
_TOKENS = "Payledger-Tokens"

# Of headers, proxies and clients take 8 KiB or so, all together.
_TOKENS_LIMIT = 4096


async def post_payment(request: web.Request) -> web.Response:
    """201 when posted, first and replay alike."""
    poster = request.app[POSTER]
    deadline = poster.deadline()
    ledger_id = await request.app[ACCESS].admit(request, "write")
    check_type(request)
    body = await read_body(request, BODY_LIMIT)
    idem_key = header_key(request)
    check_json(body)
    payment = read_payment(body, idem_key)
    result = await poster.post_payment(payment, idem_key, ledger_id, deadline)
    _count(request, result)
    return _answer(request, result, 201)


async def post_payments(request: web.Request) -> web.Response:
    """200, with what each payment would have been answered by itself."""
    poster = request.app[POSTER]
    deadline = poster.deadline()
    ledger_id = await request.app[ACCESS].admit(request, "write")
    check_type(request)
    body = await read_body(request, BATCH_BODY_LIMIT)
    if IDEMPOTENCY_KEY in request.headers:
        raise Problem("batch_idempotency_key_not_allowed")
    check_json(body)
    results = await poster.post_payments(read_batch(body), ledger_id, deadline)
    for result in results:
        _count(request, result)
    return answers.document(
        b'{"epoch":%b,"results":[%b]}'
        % (
            b'"%b"' % results[0].epoch.encode() if results else b"null",
            b",".join(map(_result, results)),
        ),
        200,
    )


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
    return _answer(request, result, 200)


def _count(request: web.Request, result: PaymentResult) -> None:
    request.app[REQUESTS].paid(result.outcome, result.code, replayed=result.replayed)


def _answer(request: web.Request, result: PaymentResult, posted_status: int) -> web.Response:
    if result.outcome != "posted":
        raise Problem(
            result.code or "internal_error",
            values_of(result),
            headers={_REPLAYED: "true"} if result.replayed else None,
        )
    headers = {
        "Location": f"/v1/ledgers/{request.match_info['ledger']}/payments/{result.payment_id}",
        "ETag": f'"{result.payment_id}"',
        **_tokens(result),
    }
    if result.replayed:
        headers[_REPLAYED] = "true"
    return answers.document(result.body.encode(), posted_status, headers)


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
        status, body = 201, result.body.encode()
    else:
        status, body, _ = render(result.code or "internal_error", values_of(result))
    replayed = b"true" if result.replayed else b"false"
    return b'{"status":%d,"replayed":%b,"body":%b}' % (status, replayed, body)
