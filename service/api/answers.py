"""Responses: every one a JSON document, every refusal problem+json."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import hdrs, web

from service.errors import PROBLEM_JSON, render

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from service.errors import Problem

JSON = "application/json"


def document(body: bytes, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """JSON that is ready to go out."""
    sent = {hdrs.CONTENT_TYPE: JSON, **(headers or {})}
    return web.Response(body=body, status=status, headers=sent)


def rendered(
    value: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """JSON from a Struct."""
    return document(msgspec.json.encode(value), status, headers)


def problem(problem: Problem) -> web.Response:
    """problem+json, with Retry-After where waiting helps."""
    answer = render(problem.code, problem.values, read=problem.read)
    headers = {"Content-Type": PROBLEM_JSON, **problem.headers}
    if answer.retry_after is not None:
        headers["Retry-After"] = str(answer.retry_after)
    response = web.Response(body=answer.body, status=answer.status, headers=headers)
    if problem.close:
        response.force_close()
    return response
