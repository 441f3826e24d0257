"""Payments that came in one piece and have nothing unusual: posted without aiohttp's handling.

As with service.api.hits: whatever is not of exactly this form is left to the ordinary way.
"""

from __future__ import annotations

import re
from time import perf_counter
from typing import TYPE_CHECKING

from aiohttp import hdrs

from service.api import answers, boundary, logs, payments
from service.api.idempotency_keys import IDEMPOTENCY_KEY
from service.api.json_bodies import check_json
from service.api.payment_bodies import read_plain_payment
from service.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp.http import RawRequestMessage

    from service.api.access import Access
    from service.api.counting import Requests
    from service.ledger.poster import Element, Owner, Poster

_TARGET = re.compile(payments.ROUTE.format(ledger="([a-z0-9-]{1,63})"))
_KEY = re.compile(r"[!#-~][!-~]{0,254}")  # bare


class PlainPayments:
    """One per application."""

    def __init__(self, access: Access, poster: Poster, requests: Requests) -> None:
        self._access = access
        self._poster = poster
        self._requests = requests

    def answer(
        self, request: RawRequestMessage, body: bytes
    ) -> Coroutine[None, None, bytes] | None:
        """Posts it, and answers as the handler does; None: it has to."""
        began_at = perf_counter()
        target = _TARGET.fullmatch(request.path)
        if target is None or request.method != hdrs.METH_POST:
            return None
        headers = request.headers
        given = headers.getall(IDEMPOTENCY_KEY, ())
        if (
            len(given) != 1
            or not _KEY.fullmatch(given[0])
            or headers.get(hdrs.CONTENT_TYPE) != answers.JSON
            or hdrs.CONTENT_ENCODING in headers
        ):
            return None
        owner = self._access.recall(headers, target[1], "write")
        if owner is None:
            return None
        try:
            check_json(body)
        except Problem:
            return None
        element = read_plain_payment(body, given[0])
        if element is None:
            return None
        request_id = boundary.request_id(headers)
        return self._post(element, owner, target[1], request_id, began_at)

    async def _post(
        self, element: Element, owner: Owner, ledger: str, request_id: str, began_at: float
    ) -> bytes:
        poster = self._poster
        try:
            result = await poster.post_payment(element, owner, poster.deadline())
            self._requests.paid(result.outcome, result.code, replayed=result.replayed)
            reply = payments.reply(ledger, result, 201)
        except Problem as exc:
            reply = answers.refusal(exc)
        except Exception as exc:  # noqa: BLE001 -- the last resort
            reply = boundary.defect(exc, request_id)
        reply.headers[boundary.REQUEST_ID] = request_id
        self._requests.count(hdrs.METH_POST, payments.ROUTE, reply.status, began_at)
        seconds = perf_counter() - began_at
        logs.log(hdrs.METH_POST, payments.ROUTE, reply.status, seconds, ledger, request_id)
        return reply.message()
