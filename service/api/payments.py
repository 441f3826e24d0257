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
from service.api.resources import ACCESS, GATEWAY, POSTER
from service.errors import Problem, render
from service.ledger.gateway import values_of

if TYPE_CHECKING:
    from aiohttp import web

    from service.ledger.gateway import PaymentResult

_REPLAYED = "Idempotent-Replayed"

# When nothing more can be said of any payment of a batch, it is said of the batch.
_ABOUT_ALL = ("not_attempted", "outcome_unknown")


async def post_payment(request: web.Request) -> web.Response:
    """201 when posted, first and replay alike."""
    poster = request.app[POSTER]
    deadline = poster.deadline()
    owner = await request.app[ACCESS].identify(request, "write")
    check_type(request)
    body = await read_body(request, BODY_LIMIT)
    idem_key = header_key(request)
    check_json(body)
    result = await poster.post_payment(read_payment(body, idem_key), owner, deadline)
    return _answer(request, result, 201)


async def post_payments(request: web.Request) -> web.Response:
    """200, with what each payment would have been answered by itself."""
    poster = request.app[POSTER]
    deadline = poster.deadline()
    owner = await request.app[ACCESS].identify(request, "write")
    check_type(request)
    body = await read_body(request, BATCH_BODY_LIMIT)
    if IDEMPOTENCY_KEY in request.headers:
        raise Problem("batch_idempotency_key_not_allowed")
    check_json(body)
    results = await poster.post_payments(read_batch(body), owner, deadline)
    codes = {result.code for result in results}
    if len(codes) == 1 and (code := codes.pop()) in _ABOUT_ALL:
        raise Problem(code)
    return answers.document(b'{"results":[' + b",".join(map(_result, results)) + b"]}", 200)


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
    }
    if result.replayed:
        headers[_REPLAYED] = "true"
    return answers.document(result.body, posted_status, headers)


def _result(result: PaymentResult) -> bytes:
    if result.outcome == "posted":
        status, body = 201, result.body
    else:
        status, body, _ = render(result.code or "internal_error", values_of(result))
    replayed = b"true" if result.replayed else b"false"
    return b'{"status":%d,"replayed":%b,"body":%b}' % (status, replayed, body)
